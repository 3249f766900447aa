"""A small run folder made by hand (a helix of Cα atoms in a map of Gaussian blobs), and a headless Chromium."""

import hashlib
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cryoweave.data import Curve, DensityMap, Frame, Metric, Model, ModelSet, Poses, ScoreTable
from cryoweave.io.maps import write_map
from cryoweave.io.model_writing import write_model
from cryoweave.io.scores import write_scores
from cryoweave.pipeline.inputs import load_inputs
from cryoweave.pipeline.outputs import write_poses
from cryoweave.pipeline.validated import Judged, write_validation
from cryoweave.pipeline.validation import Validation
from cryoweave.testing import ideal_model, simulated_map

RESIDUES = 40
EVIL = "</script><script>document.body.dataset.evil=1</script><img/src=x/onerror=document.body.dataset.evil=1>"
CONTOUR = 0.4


def helix(chain: str = "A") -> Model:
    """An ideal α-helix, residues 5 to 44, confidence from 0.1 to 1."""
    t = np.arange(RESIDUES)
    xyz = np.column_stack((2.3 * np.cos(1.745 * t) + 20, 2.3 * np.sin(1.745 * t) + 30, 1.5 * t + 105))
    names = np.resize(np.array(["ALA", "LEU", "GLY", "LYS"]), RESIDUES)
    confidence = np.linspace(10, 100, RESIDUES, dtype=np.float32)
    chains, numbers = np.full(RESIDUES, chain), (t + 5).astype(np.int32)
    return Model.from_trace(xyz, names, chains, numbers, confidence, b_is_confidence=True)


def blobs(model: Model) -> DensityMap:
    """Gaussians at the atoms, and a far smaller bump at the far corner of the box."""
    frame = Frame((90, 50, 40), (1.0, 1.0, 1.0), (0.0, 5.0, 90.0))
    nodes = frame.to_xyz(np.indices(frame.shape_zyx).reshape(3, -1).T)
    values = np.zeros(len(nodes))
    for atom in model.xyz:
        values += np.exp(-((nodes - atom) ** 2).sum(axis=1) / (2 * 1.4**2))
    values[-1] = 0.2
    return DensityMap(values.reshape(frame.shape_zyx).astype(np.float32), frame)


def scores(model: Model) -> tuple[ScoreTable, ScoreTable]:
    """What a comparison with a reference and what a look at the density gave."""
    identity = (model.chain, model.residue_number, model.insertion_code, model.residue_name)
    distance = np.linspace(0, 3, len(model))
    distance[10:15] = np.nan
    compared = ScoreTable(
        *identity,
        {"distance": distance},
        {"recall": 0.8717949, "tm": np.nan},
        {
            "distance": Metric("distance to the reference", "Å", False),
            "recall": Metric("matched residues over reference residues", "", True),
            "tm": Metric("TM-score", "", True),
        },
    )
    supported = ScoreTable(*identity, {}, {"mean_density": 4.25}, {"mean_density": Metric("mean density", "σ", True)})
    return compared, supported


def step(name: str, stage: str, kind: str, **more: Any) -> dict[str, Any]:
    """One step of a record."""
    taken = {"seconds": 1.5, "cpu_seconds": 2.5, "peak_mb": 12.0, "reused": False, "reason": "new", "facts": {}}
    place = {"params": {}, "inputs": {}, "folder": f"stages/{name}", "gives": "Traces", "cites": []}
    return {
        "step": name,
        "stage": stage,
        "kind": kind,
        "package": "some-plugin",
        "version": 1,
        **taken,
        **place,
        **more,
    }


def make_run(folder: Path, name: str = "9", chain: str = "A") -> Path:
    """Write a run of four steps; ``name`` is that of the sequence in the FASTA file."""
    folder.mkdir()
    model = helix(chain)
    compared, supported = scores(model)
    density, reference, fasta = folder / "in.mrc", folder / "reference.cif", folder / "in.fasta"
    write_map(density, blobs(model))
    write_model(reference, model.select(slice(5, None)))
    fasta.write_text(f">{name}\n{'ALGK' * 10}\n")
    write_model(folder / "model.cif", model)
    (folder / "stages").mkdir()
    merged = ScoreTable(
        model.chain,
        model.residue_number,
        model.insertion_code,
        model.residue_name,
        compared.residues,
        {**compared.whole, **supported.whole},
        {**compared.metrics, **supported.metrics},
    )
    write_scores(folder, merged)
    inputs = {"density": density, "sequences": fasta, "reference": reference}
    entries = {k: {"path": str(p), "sha256": hashlib.sha256(p.read_bytes()).hexdigest()} for k, p in inputs.items()}
    (folder / "record.json").write_text(json.dumps(record(entries)))
    (folder / "log.txt").write_text(
        "2026-01-02 03:04:05,678 INFO cryoweave.io: all is well\n"
        "2026-01-02 03:04:05,678 WARNING cryoweave.io: the machine stamp is odd\n"
    )
    events = [{"event": "run_started", "steps": ["peaks", "trace", "compare", "support"]}]
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    return folder


def record(inputs: dict[str, Any]) -> dict[str, Any]:
    """The record of a run that ended well."""
    table = {"kind": "validate", "gives": "ScoreTable"}
    return {
        "schema": "cryoweave-record/1",
        "cryoweave": "0.1.0",
        "recipe": "some-recipe",
        "summary": "what it does",
        "state": "done",
        "started": "2026-01-02T03:04:05+00:00",
        "seconds": 12.5,
        "seed": 7,
        "threads": 2,
        "device": "cpu",
        "command": ["cryoweave", "run", "some-recipe", "-v", "a map.mrc"],
        "cpu_count": 2,
        "inputs": inputs,
        "plugins": {"some-plugin": "2.3.4"},
        "steps": [
            step(
                "peaks",
                "some.peaks",
                "detect",
                params={"threshold": CONTOUR, "bandwidth": 2.0},
                inputs={"density": "input.density"},
                facts={"threshold": CONTOUR, "points": 1184},
                cites=["10.1000/xyz<1>"],
            ),
            step("trace", "some.trace", "trace", inputs={"points": "peaks"}, peak_mb=None, reused=True),
            step(
                "compare",
                "some.compare",
                inputs={"model": "trace", "reference": "input.reference"},
                scores=["distance", "recall", "tm"],
                **table,
            ),
            step(
                "support",
                "some.support",
                inputs={"model": "trace", "density": "input.density"},
                scores=["mean_density"],
                **table,
            ),
        ],
        "left_out": {},
        "outputs": {},
    }


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """A run that ended well."""
    return make_run(tmp_path / "run")


def turn(degrees: float) -> np.ndarray[Any, Any]:
    """A turn about z."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def fitted(model: Model) -> tuple[Model, Poses]:
    """Where a model was before it was fitted, and four poses, the second of which puts it where it is."""
    middle = model.xyz.mean(axis=0)
    rotation = np.stack([turn(angle) for angle in (70, 40, 0, 200)])
    start = (model.xyz - middle) @ turn(40)
    translation = np.stack([middle + np.array([shift, 0, 0]) for shift in (9, 0, -9, 4)])
    score = np.array([0.31, 0.3, 0.12, 0.1])
    measures = {"z": 30 * score, "laplacian": score, "odd": np.array([1, 2, np.nan, 4]), "none": np.full(4, np.nan)}
    return replace(model, xyz=start), Poses(rotation, translation, score, np.full(4, "helix"), measures)


@pytest.fixture
def fit_folder(run_folder: Path) -> Path:
    """The same run, of which a fit made the model."""
    start, poses = fitted(helix())
    write_poses(run_folder, poses, ModelSet(("helix",), (start,)))
    entry = step("search", "some.search", "fit", inputs={"density": "input.density"}) | {
        "gives": "Poses",
        "measures": {"laplacian": {"definition": "how curved", "unit": "", "higher_is_better": True}},
    }
    change_record(run_folder, steps=[entry, *json.loads((run_folder / "record.json").read_text())["steps"][2:]])
    return run_folder


@pytest.fixture
def hostile_folder(tmp_path: Path) -> Path:
    """A run whose sequence, chain, recipe and error are named to break the page."""
    folder = make_run(tmp_path / "run", name=EVIL, chain="<i>")
    change_record(folder, recipe=EVIL, error=EVIL, command=["cryoweave", EVIL])
    return folder


@pytest.fixture
def change() -> Callable[..., None]:
    """Changes entries of a run's record."""
    return change_record


def change_record(folder: Path, **changes: Any) -> None:
    """Change entries of the record."""
    file = folder / "record.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


FLAGS = [
    "--headless",
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    "--window-size=1200,900",
]


class Browser:
    """One page of a running Chromium; keeps every event that it sends."""

    def __init__(self, port: int) -> None:
        import websocket

        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
            page = next(target for target in json.load(answer) if target["type"] == "page")
        self.socket = websocket.create_connection(page["webSocketDebuggerUrl"], suppress_origin=True, timeout=60)
        self.events: list[dict[str, Any]] = []
        self.count = 0
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send one command and wait for its answer."""
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.count:
                assert "error" not in message, f"{method}: {message['error']}"
                return dict(message["result"])
            self.events.append(message)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; promises are awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def open(self, path: Path) -> None:
        """Load a file and wait until its scripts have run."""
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.wait_for(f"location.href === {json.dumps(path.resolve().as_uri())} && document.readyState === 'complete'")

    def wait_for(self, condition: str, seconds: float = 60) -> None:
        """Wait until a JavaScript expression is true."""
        end = time.monotonic() + seconds
        while not self.evaluate(condition):
            assert time.monotonic() < end, f"{condition} was still false after {seconds} s: {self.trouble()}"
            time.sleep(0.2)

    def requests(self) -> list[str]:
        """Addresses that the page asked for, apart from those inside of it."""
        sent = [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith(("data:", "blob:"))]

    def trouble(self) -> list[Any]:
        """Exceptions and errors that the page reported."""
        thrown = [e["params"]["exceptionDetails"] for e in self.events if e["method"] == "Runtime.exceptionThrown"]
        logged = [e["params"]["entry"] for e in self.events if e["method"] == "Log.entryAdded"]
        printed = [e["params"] for e in self.events if e["method"] == "Runtime.consoleAPICalled"]
        return [
            *thrown,
            *(entry for entry in logged if entry["level"] == "error"),
            *(call for call in printed if call["type"] == "error"),
        ]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A fresh headless Chromium, or a skip where there is none."""
    pytest.importorskip("websocket", reason="websocket-client is not installed")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("Chromium is not installed")
    profile = tmp_path / "profile"
    with (tmp_path / "chromium.log").open("w") as log:
        process = subprocess.Popen([program, *FLAGS, f"--user-data-dir={profile}", "about:blank"], stderr=log)
        try:
            port_file = profile / "DevToolsActivePort"
            for _ in range(200):
                if port_file.exists() and port_file.read_text().strip():
                    break
                assert process.poll() is None, (tmp_path / "chromium.log").read_text()
                time.sleep(0.1)
            yield Browser(int(port_file.read_text().splitlines()[0]))
        finally:
            process.terminate()
            process.wait(timeout=20)


def judged_scores(model: Model) -> ScoreTable:
    """Made-up scores of each kind that validators give: by residue, of the whole, curves."""
    trace = model.trace_atoms()
    n = len(trace)
    q = np.linspace(0.7, 0.6, n)
    q[10:16] = 0.1
    columns = {
        "q_0.6": q,
        "phi": np.linspace(-170, 170, n),
        "psi": np.linspace(170, -170, n),
        "rama_outcome": np.where(np.arange(n) == 12, 0.0, 2.0),
    }
    x = np.linspace(0, 0.4, 30)
    curves = {
        "fsc_model": Curve(x, 1 - x / 0.4, "spatial frequency (1/Å)", "Fourier shell correlation", "of map and model"),
        "inclusion": Curve(np.linspace(-1, 2, 30), np.linspace(1, 0, 30), "contour (map)", "share", "atoms inside"),
    }
    metrics = {
        "q_0.6": Metric("made-up score", "", True),
        "phi": Metric("φ", "°"),
        "psi": Metric("ψ", "°"),
        "rama_outcome": Metric("0 outlier, 1 allowed, 2 favoured", "", True),
        "fsc_average": Metric("mean of the curve", "", True),
    }
    identity = (trace.chain, trace.residue_number, trace.insertion_code, trace.residue_name)
    return ScoreTable(*identity, columns, {"fsc_average": 0.5}, metrics, curves)


def make_validation(folder: Path) -> Path:
    """Write what ``validate -o`` writes, for an ideal helix whose residue 21 is 20A."""
    folder.mkdir()
    model = ideal_model("H" * 30)
    inserted = model.residue_number == 21
    model = replace(
        model,
        residue_number=np.where(inserted, 20, model.residue_number).astype(np.int32),
        insertion_code=np.where(inserted, "A", ""),
    )
    write_model(folder / "in.cif", model)
    write_map(folder / "in.mrc", simulated_map(model))
    scored = judged_scores(model)
    entry = step("quality.all", "quality.all", inputs={"density": "input.density"}, kind="validate")
    entry |= {"scores": [*scored.metrics, *scored.curves], "params": {"sigma": 0.6}}
    result = Validation(["quality.all"], {"compare.all": "needs reference"}, {}, steps=[entry], scores=scored)
    judged = Judged("in.cif", model, folder / "in.cif", result, ["in.cif holds 3 models: the first is judged"])
    write_validation(folder / "out", judged, load_inputs({"density": folder / "in.mrc"}), contour=1.0)
    return folder / "out"


@pytest.fixture
def validation_folder(tmp_path: Path) -> Path:
    """A validation of a model with all kinds of scores."""
    return make_validation(tmp_path / "validation")
