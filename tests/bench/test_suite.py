"""Suites: what they name is there, and their sheets can be read and run."""

import numpy as np
import pytest

from cryoweave import load_model
from cryoweave.bench.sheet import read_sheet
from cryoweave.bench.suite import fasta_of, moved, suites, write_suite
from cryoweave.data.model import joined_models
from cryoweave.errors import CryoweaveError
from cryoweave.io.maps import read_map
from cryoweave.io.sequences import read_sequences
from cryoweave.kernels.metrics import superpose
from cryoweave.testing import ideal_model


def test_every_file_that_a_suite_names_is_there(shared):
    missing = [
        file
        for suite in suites().values()
        for entry in suite.entry
        for file in (entry.map, entry.reference, *entry.models)
        if file and not (shared / file).is_file()
    ]
    assert not missing


def test_suites_have_what_was_promised():
    found = suites()
    assert set(found) == {"dev", "simulated", "fitting"}
    assert len(found["simulated"].entry) == 20
    assert len(found["simulated"].simulated.resolutions) == 3
    assert len(found["simulated"].simulated.variants) == 2
    for suite in found.values():
        names = [entry.name for entry in suite.entry]
        assert len(set(names)) == len(names)
        assert 0 < sum(entry.fast for entry in suite.entry) <= 3


@pytest.mark.parametrize("name", ["dev", "simulated", "fitting"])
def test_the_subset_is_written_and_read(shared, tmp_path, name):
    told = list(write_suite(name, shared, tmp_path / name, fast=True))
    targets = read_sheet(tmp_path / name / "sheet.toml")
    assert [target.name for target in targets] == told
    for target in targets:
        density, reference = read_map(target.map), load_model(target.reference)
        zyx = density.frame.to_zyx(reference.trace_atoms().xyz)
        inside = ((zyx >= 0) & (zyx < density.values.shape)).all(axis=1)
        assert inside.mean() > 0.9, "the reference lies in its map"
        for model in target.models:
            assert np.abs(load_model(model).xyz.mean(axis=0)).max() < 0.01
        if target.sequence:
            assert read_sequences(target.sequence).residues > 50


def test_a_reference_lies_on_density_whatever_its_origin(shared, tmp_path):
    """One of the tasks counts from the first voxel of its map."""
    list(write_suite("fitting", shared, tmp_path, fast=True))
    (actin,) = (target for target in read_sheet(tmp_path / "sheet.toml") if target.name == "actin")
    density, xyz = read_map(actin.map), load_model(actin.reference).trace_atoms().xyz
    zyx = np.rint(density.frame.to_zyx(xyz)).astype(int)
    found = density.values[tuple(zyx.T)].mean()
    assert found > density.values.mean() + 2 * density.values.std()


def test_a_moved_model_is_the_same_elsewhere():
    model = ideal_model()
    other = moved(model, 5)
    found = superpose(model.xyz, other.xyz)
    assert found.rmsd < 1e-6
    assert np.abs(found.rotation - np.eye(3)).max() > 0.1
    np.testing.assert_array_equal(other.xyz, moved(model, 5).xyz)


def test_equal_chains_are_one_entry():
    one, two, three = ideal_model(chain="A"), ideal_model(chain="B"), ideal_model("E" * 9, chain="C")
    text = fasta_of(joined_models([one, two, three]))
    assert text.count(">") == 2
    assert ">A|Chains A, B|" in text
    assert text.endswith(">C|Chains C|\n" + text.splitlines()[-1] + "\n")


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(CryoweaveError, match="no suite 'x'"):
        list(write_suite("x", tmp_path, tmp_path / "out"))
    with pytest.raises(CryoweaveError, match=r"3J6B_9.pdb is not there|2566_3J6B_9.mrc.gz is not there"):
        list(write_suite("dev", tmp_path, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
