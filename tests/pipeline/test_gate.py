"""What stops a run before its first step."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cryoweave.data import DensityMap
from cryoweave.errors import InputError, StageError
from cryoweave.io.maps import read_map, write_map
from cryoweave.io.model_writing import write_model
from cryoweave.io.models import read_model
from cryoweave.pipeline.chain import parse_chain
from cryoweave.pipeline.plan import plan
from cryoweave.pipeline.run import run


@pytest.fixture
def both(toys, files, quick_report):
    """Plans and runs with the same arguments; what was said of the second."""

    def call(recipe="toy", ignore_checks=False, **changes):
        given = {"map": files / "emd_1.map.gz", "sequences": files / "chains.fasta", **changes}
        inputs = {"density" if name == "map" else name: value for name, value in given.items()}
        made = plan(recipe, inputs, ignore_checks=ignore_checks)
        done = run(recipe, **given, output=files / "out", ignore_checks=ignore_checks)
        log = (files / "out" / "log.txt").read_text()
        assert all(log.count(finding.message) == 1 for finding in made.findings), "each is told once"
        return made.findings, done

    return call


def rna(files):
    (files / "chains.fasta").write_text(">one\nACGUACGUACGUACGU\n")
    return {}


def flat(files):
    density = read_map(files / "emd_1.map.gz")
    write_map(files / "flat.mrc", DensityMap(np.ones_like(density.values), density.frame))
    return {"map": files / "flat.mrc"}


def far(files):
    model = read_model(files / "known.cif")
    write_model(files / "far.cif", replace(model, xyz=model.xyz + 500))
    return {"reference": files / "far.cif"}


def crowded(files):
    (files / "chains.fasta").write_text(f">one\n{'ACDEFGHIKL' * 60}\n")
    return {}


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        (rna, "one was given as a protein but looks like nucleotides", "-rf"),
        (flat, "every voxel is 1: there is no density", "reconstructed map"),
        (far, "reference: only 0% of the model lie within the map's box", "fitted into this map"),
        (crowded, "the molecules need", "voxel size"),
    ],
)
def test_a_failed_check_stops_plan_and_run_unless_told_to_go_on(both, files, toys, change, message, hint):
    inputs = {"sequences": files / "chains.fasta", "map": files / "emd_1.map.gz", **change(files)}
    planned = {"density" if name == "map" else name: value for name, value in inputs.items()}
    for attempt in (lambda: plan("toy", planned), lambda: run("toy", **inputs, output=files / "out")):
        with pytest.raises(InputError, match=message) as error:
            attempt()
        assert hint in error.value.hint
        assert "--ignore-checks" in error.value.hint
        assert error.value.exit_code == 1
    assert not (files / "out").exists()
    if change is flat:
        return
    findings, done = both(ignore_checks=True, **inputs)
    assert any(message in finding.message for finding in findings)
    assert done.record["state"] == "done"


def test_what_is_odd_is_a_warning(both, files):
    density = read_map(files / "emd_1.map.gz")
    values = np.where(density.values > 0.5, density.values, 0)
    write_map(files / "masked.mrc", DensityMap(values, density.frame))
    findings, _ = both(map=files / "masked.mrc", reference=files / "known.cif")
    assert [finding.topic for finding in findings][:1] == ["mask"]
    assert {finding.level for finding in findings} == {"warn"}, "a reference that fits badly is no reason to stop"


def test_a_stage_that_refuses_the_inputs_does_so_before_the_first_step(both, files, calls):
    chain = parse_chain("toy.points > toy.trace > toy.build_short")
    with pytest.raises(StageError, match=r"stage toy\.build_short: the sequences are too long") as error:
        both(chain, ignore_checks=True)
    assert error.value.hint == "give shorter ones"
    assert calls() == ["check"]
    assert not (files / "out").exists()
    both(parse_chain("toy.points > toy.trace > toy.build_short(longest=10)"))
    assert calls() == ["check", "check", "points", "trace", "build"]


def test_a_checks_value_is_json(toys, files):
    (files / "chains.fasta").write_text(">one\nACGUACGUACGUACGU\n")
    made = plan("toy", {"density": files / "emd_1.map.gz", "sequences": files / "chains.fasta"}, ignore_checks=True)
    assert json.loads(json.dumps(made.to_dict()))["checks"][0]["level"] == "fail"
