"""``cryoweave detect``: make a training set, train, export, judge."""

from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cryoweave.cli import console
from cryoweave.errors import InputError, PluginError, UsageError

if TYPE_CHECKING:
    from cryoweave_unet.samples import Recorded, Source
    from cryoweave_unet.tasks import Task
    from cryoweave_unet.workers import Samples

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)


@app.command()
def dataset(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Folders of PDB or mmCIF files.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The training set, .npz.")],
    exclude: Annotated[
        Path | None, typer.Option("--exclude", metavar="FILE", help="Entries to leave out, one a line; # for remarks.")
    ] = None,
    keep_away: Annotated[
        list[Path] | None,
        typer.Option("--keep-away", metavar="MODEL", help="Leave out what is like this model; may be given again."),
    ] = None,
    identity: Annotated[
        float,
        typer.Option("--identity", min=0.1, max=1.0, help="Share of identical residues of chains that are alike."),
    ] = 0.4,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Decides the split.")] = 0,
    parts: Annotated[
        Path | None,
        typer.Option("--parts", metavar="FILE", help="Held-out structures (name, tab, validation or test): no split."),
    ] = None,
    our_parts: Annotated[
        bool, typer.Option("--our-parts", help="Hold out what was held out from the weights that come along.")
    ] = False,
    as_json: console.Json = False,
) -> None:
    """Make a training set: structures, split into training, validation and test by clusters of sequences."""
    from cryoweave.io.models import read_model
    from cryoweave_unet.corpus import build_corpus, read_parts

    if parts and our_parts:
        raise UsageError("both --parts and --our-parts are given", "give one of them")
    corpus = build_corpus(
        folders,
        exclude=_names(exclude),
        keep_away=[read_model(path) for path in keep_away or []],
        identity=identity,
        seed=seed,
        parts=read_parts(parts) if parts or our_parts else None,
        progress=lambda done, total: console.say(f"{done} of {total} files", "dim") if done % 200 == 0 else None,
    )
    corpus.save(output)
    counts = {name: corpus.parts.count(name) for name in ("train", "validation", "test")}
    if as_json:
        console.data_json({**counts, **corpus.about})
    else:
        console.table(("part", "structures"), list(counts.items()))
        console.say(f"{corpus.about['clusters']} clusters; {len(corpus.about['left_out'])} files left out: {output}")  # type: ignore[arg-type]


@app.command()
def train(
    training_set: Annotated[
        Path, typer.Argument(metavar="TRAINING_SET", help="What `detect dataset` made; for refine, `detect graphs`.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="State and log; what is there goes on.")
    ],
    minutes: Annotated[float, typer.Option("--minutes", min=0.01, help="How long to train now.")],
    recorded: Annotated[
        list[str] | None,
        typer.Option("--recorded", metavar="MAP,MODEL", help="An experimental map and its model; may be given again."),
    ] = None,
    share: Annotated[
        float, typer.Option("--share", min=0, max=1, help="Share of samples from experimental maps, if there are any.")
    ] = 0.2,
    start: Annotated[
        Path | None, typer.Option("--start", metavar="FILE", help="Weights to begin with (.onnx), in a new folder.")
    ] = None,
    rate: Annotated[float, typer.Option("--rate", min=1e-6, max=1, help="Learning rate.")] = 2e-3,
    task: Annotated[
        str,
        typer.Option(
            "--task",
            metavar="NAME",
            help="detect: atoms and amino acids; chains: main chain at 5 to 10 Å; diffusion: the same, by diffusion; "
            "refine: Cα candidates by their neighbours.",
        ),
    ] = "detect",
    resolutions: Annotated[
        tuple[float, float] | None,
        typer.Option("--resolutions", metavar="LOW HIGH", help="Of simulated maps, in Å; as default the task's."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option("--size", min=32, max=128, help="Voxels along a box, a multiple of 8; as default the task's."),
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, max=256, help="Samples a step; as default the task's.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of weights and samples.")] = 0,
    threads: Annotated[int, typer.Option("--threads", min=0, help="0: all cores.")] = 0,
) -> None:
    """Train a network; stop it at any moment and go on with the same command."""
    _require_torch()
    from cryoweave.pipeline.execute import choose_threads
    from cryoweave_unet.export import weights_of
    from cryoweave_unet.graph_set import GraphSource
    from cryoweave_unet.tasks import TASKS
    from cryoweave_unet.train import Settings, Training

    if task not in TASKS:
        raise UsageError(f"there is no task {task!r}", f"choose of {', '.join(TASKS)}")
    chosen = TASKS[task]
    if recorded and not chosen.recorded:
        raise UsageError(f"{task} learns from simulated maps only", "leave --recorded out")
    if chosen.simulate is None:
        source: Samples = GraphSource(training_set, seed)
    else:
        bounds = resolutions or chosen.resolutions
        source = _source(training_set, chosen, recorded or [], share, bounds, size or chosen.size, seed)
    training = Training(
        output,
        source,
        Settings(seed=seed, batch=batch or chosen.batch, rate=rate),
        threads=choose_threads(threads),
        begin_worker=partial(choose_threads, 1),
        start=weights_of(start, chosen) if start else None,
        task=chosen,
    )

    def report(step: int, losses: dict[str, float]) -> None:
        console.say(f"step {step}: " + ", ".join(f"{name} {value:.3f}" for name, value in losses.items()))

    training.run(minutes, report)
    console.say(f"{training.step} steps, {training.seconds / 60:.0f} minutes in all: {output}")


@app.command()
def graphs(
    training_set: Annotated[Path, typer.Argument(metavar="TRAINING_SET", help="What `detect dataset` made.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The graphs; what is there stays.")],
    count: Annotated[int, typer.Option("--count", min=1, help="How many, in all.")] = 1000,
    network: Annotated[
        Path | None, typer.Option("--network", metavar="FILE", help="The detector, .onnx; ours if absent.")
    ] = None,
    resolutions: Annotated[
        tuple[float, float], typer.Option("--resolutions", metavar="LOW HIGH", help="Of simulated maps, in Å.")
    ] = (2.2, 4.8),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the samples.")] = 0,
    threads: Annotated[int, typer.Option("--threads", min=0, help="0: all cores.")] = 0,
) -> None:
    """What a detector finds in simulated maps, for the refiner to learn from; may be stopped and typed again."""
    from cryoweave.host import Context
    from cryoweave.pipeline.execute import choose_threads
    from cryoweave_unet.corpus import Corpus
    from cryoweave_unet.graph_set import SIZE, make_graphs
    from cryoweave_unet.samples import Source
    from cryoweave_unet.weights import load_detector

    entries = Corpus.load(training_set).part("train")
    source = Source(tuple(entries), (), SIZE, resolutions, 0.0, seed)
    detector = load_detector(network, Context(threads=choose_threads(threads)))
    make_graphs(output, source, detector, count, lambda done, all_: console.say(f"{done} of {all_} graphs", "dim"))


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where `detect train` keeps its state.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The network, .onnx.")],
    bits: Annotated[int, typer.Option("--bits", min=8, max=16, help="Of each weight: 16 or 8.")] = 16,
) -> None:
    """Write the network of a training as an ONNX file."""
    _require_torch()
    from cryoweave_unet.export import export as write
    from cryoweave_unet.train import mean_of

    if bits not in (8, 16):
        raise UsageError(f"--bits {bits} cannot be written", "give 8 or 16")
    state, about = mean_of(folder)
    write(state, output, about, bits)
    console.say(f"{output}: {output.stat().st_size / 1e6:.1f} MB, {about['steps']} steps")


@app.command()
def evaluate(
    map_file: Annotated[Path, typer.Option("--map", "-v", metavar="MAP", readable=False, help="A density map.")],
    reference: Annotated[Path, typer.Option("--reference", "-r", metavar="MODEL", readable=False, help="Its model.")],
    network: Annotated[
        Path | None, typer.Option("--network", metavar="FILE", help="A network, .onnx; ours if absent.")
    ] = None,
    turns: Annotated[int, typer.Option("--turns", min=1, max=4, help="Look in so many orientations.")] = 1,
    threads: Annotated[int, typer.Option("--threads", min=0, help="0: all cores.")] = 0,
    as_json: console.Json = False,
) -> None:
    """What a network finds of a known model: Cα within 3 Å one to one, amino acids and backbone at the native Cα."""
    from cryoweave.io.maps import read_map
    from cryoweave.io.models import read_model
    from cryoweave.pipeline.execute import run_stage
    from cryoweave_unet.evaluate import MEANINGS, figures_of

    model = read_model(reference)
    facts: dict[str, Any] = {}
    params = {"network": network, "turns": turns}
    maps = run_stage("unet.maps", density=read_map(map_file), params=params, threads=threads, facts=facts)
    found = figures_of(maps, model)
    figures = {**asdict(found), "f1": found.f1}
    if as_json:
        console.data_json({**figures, "network": facts["network"]})
    else:
        rows = [(name, f"{value:.4g}", MEANINGS[name]) for name, value in figures.items()]
        console.table(("figure", "value", "meaning"), rows)
        console.say(f"network: {facts['network']}")


@app.command()
def held_out(
    training_set: Annotated[Path, typer.Argument(metavar="TRAINING_SET", help="What `detect dataset` made.")],
    stage: Annotated[
        str, typer.Option("--stage", metavar="STAGE", help="unet.maps, unet.chains or unet.diffuse.")
    ] = "unet.maps",
    nucleic: Annotated[bool, typer.Option("--nucleic", help="Structures of nucleic acid in place of protein.")] = False,
    resolutions: Annotated[
        list[float] | None, typer.Option("--resolution", metavar="Å", min=1.5, max=20, help="May be given again.")
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, help="Structures of the part for tests.")] = 10,
    network: Annotated[
        Path | None, typer.Option("--network", metavar="FILE", help="A network, .onnx; ours if absent.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of structures and noise.")] = 0,
    threads: Annotated[int, typer.Option("--threads", min=0, help="0: all cores.")] = 0,
    as_json: console.Json = False,
) -> None:
    """What a network finds of held-out structures in maps simulated with solvent and noise."""
    from cryoweave.pipeline.execute import run_stage
    from cryoweave_unet import held_out as judge
    from cryoweave_unet.corpus import Corpus

    if stage not in (known := ("unet.maps", "unet.chains", "unet.diffuse")):
        raise UsageError(f"there is no stage {stage!r} to judge", f"choose of {', '.join(known)}")

    entries = judge.chosen(Corpus.load(training_set).part("test"), count, nucleic=nucleic, seed=seed)
    rows = {}
    for resolution in resolutions or [3.5]:
        counts = []
        for number, entry in enumerate(entries):
            density = judge.simulated(entry, resolution, seed + number)
            maps = run_stage(stage, density=density, params={"network": network}, threads=threads, seed=seed)
            if stage != "unet.maps":
                counts.append(judge.chains(maps, entry))
            elif nucleic:
                counts.append(judge.nucleic(maps, entry))
            else:
                counts.append(judge.detection(maps, entry))
            console.say(f"{resolution:g} Å: {number + 1} of {len(entries)}, {entry.name}", "dim")
        rows[f"{resolution:g}"] = judge.shares(counts)
    if as_json:
        console.data_json(rows)
    else:
        names = list(next(iter(rows.values())))
        console.table(("Å", *names), [(d, *(f"{row[name]:.3f}" for name in names)) for d, row in rows.items()])


def _names(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", "give a text file with one entry a line") from error
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


def _recorded(text: str) -> "Recorded":
    from cryoweave.io.maps import read_map
    from cryoweave.io.models import read_model
    from cryoweave_unet.corpus import entry_of, stem
    from cryoweave_unet.samples import Recorded

    density, comma, model = text.partition(",")
    if not comma:
        raise InputError(f"--recorded {text} does not name a map and a model", "write MAP,MODEL")
    return Recorded.of(read_map(density), entry_of(stem(Path(model)), read_model(model)))


def _source(
    training_set: Path,
    task: "Task",
    recorded: list[str],
    share: float,
    resolutions: tuple[float, float],
    size: int,
    seed: int,
) -> "Source":
    from cryoweave_unet.corpus import Corpus
    from cryoweave_unet.samples import Source
    from cryoweave_unet.tasks import check_size

    check_size(size)
    assert task.simulate is not None
    maps = tuple(_recorded(text) for text in recorded)
    entries = tuple(Corpus.load(training_set).part("train"))
    return Source(entries, maps, size, resolutions, share if maps else 0.0, seed, task.simulate)


def _require_torch() -> None:
    for package in ("torch", "onnx"):
        if find_spec(package) is None:
            raise PluginError(f"training needs {package}, which is not installed", "pip install 'cryoweave[train]'")
