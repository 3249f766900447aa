"""Figures against a reference that other programs give, on twenty pairs of models and references."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data.residues import NUCLEOTIDES
from cryoweave.io.model_writing import write_model
from cryoweave.io.models import read_model
from cryoweave.kernels.metrics import tm_score
from cryoweave_validation.compare_published import modelangelo

FILES = {
    "3j6b_9": "emd2566_3j6b9/3J6B_9.pdb",
    "7cec_A": "emd30342_integrin/7cec_A.cif.gz",
    "5778": "emd5778_trpv1A/riken_5778_native.pdb",
    "5925": "emd5925_mavs/riken_5925_native.pdb",
    "3mfp": "emd5168_actin/3MFP.pdb",
}
RNA = "emd20755_6ues/em-pred_6UES-1.pdb"
KINDS = ("perturbed", "traced", "shifted", "half")
PAIRS = [(name, kind) for name in FILES for kind in KINDS]
CHAIN_PAIRS = [*PAIRS, ("3j6b_9", "scrambled"), *(("rna", kind) for kind in ("scrambled", "perturbed", "half"))]
WAVES = np.array([[0.13, 0.31, 0.47], [0.29, 0.17, 0.39], [2.1, 1.7, 2.9]])
"""Frequencies of the displacement in residues, and in atoms: no random numbers, so that the pairs stay as they are."""


@cache
def reference_of(path):
    """Heavy atoms of the polymer, three decimals."""
    model = read_model(path)
    model = model.select((model.element != "H") & ~model.hetero)
    return replace(model, xyz=model.xyz.round(3))


def displaced(model, size):
    """Moved by waves along the chain, up to ``size`` Å along an axis, the more the farther along."""
    number = model.residue_number - model.residue_number[0]
    waves = sum(np.sin(np.outer(number, w) + k) for k, w in enumerate(WAVES[:2]))
    waves = waves + 0.5 * np.sin(np.outer(np.arange(len(model)), WAVES[2]))
    grows = (number / number.max())[:, None]
    return replace(model, xyz=(model.xyz + size * grows * waves / 2.5).round(3))


def made(kind, native):
    """A model as good or bad as its kind says."""
    trace = native.trace_atoms()
    if kind == "perturbed":
        return displaced(native, 3.0)
    if kind == "traced":
        return displaced(trace.select(np.arange(len(trace)) % 20 < 16), 4.0)
    if kind == "shifted":
        return replace(trace.select(slice(0, -1)), xyz=trace.xyz[1:])
    if kind == "scrambled":
        order = np.arange(len(trace))
        for start in range(10, len(trace) - 20, 37):
            order[start : start + 15] = order[start : start + 15][::-1]
        return displaced(replace(trace, xyz=trace.xyz[order]), 4.0)
    return native.select(native.residue_number <= trace.residue_number[len(trace) // 2])


@pytest.fixture(scope="module")
def goldens(golden):
    return json.loads((golden / "compare.json").read_text())


def stage(name, model, reference):
    return run_stage(f"compare.{name}", model=model, reference=reference)


def program(oracles, name):
    python = oracles / name / "bin" / "python"
    if not python.exists():
        pytest.skip(f"{name} is not in {oracles}")
    return python


def output(folder, *command):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=250)
    return done.stdout


def written(folder, model, native):
    write_model(folder / "model.pdb", model)
    write_model(folder / "reference.pdb", native)
    return "model.pdb", "reference.pdb"


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_local_distances_are_kept_as_biotite_says(name, kind, shared, goldens):
    native = reference_of(shared / "maps" / FILES[name])
    model, expected = made(kind, native), goldens["biotite"][f"{name} {kind}"]
    found = stage("lddt", model, native)
    columns = ["lddt_ca"] if kind in ("traced", "shifted") else ["lddt_ca", "lddt"]
    rows = np.flatnonzero(np.isin(native.trace_atoms().residue_number, found.residue_number))
    for column in columns:
        assert found.whole[column] == pytest.approx(expected[column], abs=1e-4), column
        if f"{column}_residues" in expected:
            each = np.array(expected[f"{column}_residues"])[rows]
            np.testing.assert_allclose(found.residues[column], each, atol=1e-3)


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_the_tm_score_is_that_of_tmscore(name, kind, shared, goldens):
    native = reference_of(shared / "maps" / FILES[name])
    found = stage("reference", made(kind, native), native).whole
    assert found["tm_score"] == pytest.approx(goldens["TMscore"][f"{name} {kind}"]["tm_score"], abs=1e-3)
    assert found["gdt_ts"] == pytest.approx(goldens["TMscore"][f"{name} {kind}"]["gdt_ts"], abs=1e-3)


@pytest.mark.parametrize(("name", "kind"), CHAIN_PAIRS)
def test_chain_comparison_is_that_of_cctbx(name, kind, shared, goldens):
    native = reference_of(shared / "maps" / FILES.get(name, RNA))
    found = stage("published", made(kind, native), native).whole
    prefix = "chain_comparison_nucleic_" if name == "rna" else "chain_comparison_"
    ours = {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}
    assert ours == pytest.approx(goldens["chain_comparison"][f"{name} {kind}"], abs=1e-6)


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_figures_of_modelangelo_lie_where_its_draws_lie(name, kind, shared, goldens):
    """Goldens are mean and standard deviation of twenty runs of the published functions."""
    native = reference_of(shared / "maps" / FILES[name])
    model = made(kind, native)
    runs = [modelangelo(model, native, np.random.default_rng(seed)) for seed in range(5)]
    for figure, (mean, deviation) in goldens["modelangelo"][f"{name} {kind}"].items():
        found = np.mean([run[figure] for run in runs])
        assert found == pytest.approx(mean, abs=0.001 + 3 * deviation * np.sqrt(1 / 5 + 1 / 20)), figure


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_biotite_gives_the_golden_figures(name, kind, shared, goldens, oracles, tmp_path, request):
    python = program(oracles, "biotite")
    native = reference_of(shared / "maps" / FILES[name])
    script = request.path.parent / "oracles" / "biotite_lddt.py"
    found = json.loads(output(tmp_path, python, script, *written(tmp_path, made(kind, native), native)))
    for key, expected in goldens["biotite"][f"{name} {kind}"].items():
        assert found[key] == pytest.approx(expected, abs=1e-4, nan_ok=True), key


@pytest.mark.parametrize(("name", "kind"), CHAIN_PAIRS)
def test_cctbx_gives_the_golden_figures(name, kind, shared, goldens, oracles, tmp_path, request):
    python = program(oracles, "cctbx")
    native = reference_of(shared / "maps" / FILES.get(name, RNA))
    script = request.path.parent / "oracles" / "cctbx_chain_comparison.py"
    molecule = "RNA" if set(native.residue_name) & set(NUCLEOTIDES) else "PROTEIN"
    out = output(tmp_path, python, script, molecule, *written(tmp_path, made(kind, native), native))
    assert json.loads(out.splitlines()[-1]) == pytest.approx(goldens["chain_comparison"][f"{name} {kind}"], abs=1e-6)


@pytest.mark.skipif(shutil.which("TMscore") is None, reason="no TMscore (Debian: tm-align)")
@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_tmscore_gives_the_golden_figures(name, kind, shared, goldens, tmp_path):
    native = reference_of(shared / "maps" / FILES[name])
    out = output(tmp_path, "TMscore", *written(tmp_path, made(kind, native), native))
    patterns = {"tm_score": r"TM-score    = ([\d.]+)", "gdt_ts": r"GDT-TS-score= ([\d.]+)"}
    found = {key: float(re.search(pattern, out)[1]) for key, pattern in patterns.items()}
    assert found == pytest.approx(goldens["TMscore"][f"{name} {kind}"], abs=1e-4)


@pytest.mark.skipif(shutil.which("TMalign") is None, reason="no TMalign (Debian: tm-align)")
def test_tmalign_finds_no_better_pairs_of_half_a_chain(shared, tmp_path):
    native = reference_of(shared / "maps" / FILES["3j6b_9"])
    half = native.select(native.residue_number <= native.trace_atoms().residue_number[95])
    out = output(tmp_path, "TMalign", *written(tmp_path, half, native))
    theirs = float(re.search(r"TM-score= ([\d.]+) \(if normalized by length of Chain_2", out)[1])
    ours = native.trace_atoms()
    assert theirs == pytest.approx(tm_score(ours.xyz[:96], ours.xyz[:96], 195).tm, abs=1e-3)
