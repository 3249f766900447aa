"""Simulated maps: where the atoms are, on which grid, and what is refused."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.cli import console
from cryoweave.cli.main import app
from cryoweave.errors import InputError
from cryoweave.io.maps import read_map
from cryoweave.io.model_writing import write_model
from cryoweave.kernels.grid import interpolate
from cryoweave.testing import StageContract, ideal_model, simulated_map
from cryoweave_basics.stages import SimulateParams

MODEL = ideal_model()


def simulated(seed=0, density=None, **params):
    inputs = {"density": density} if density is not None else {}
    return run_stage("model.simulate", model=MODEL, params=params, seed=seed, **inputs)


def at_atoms(density):
    """Density at the atoms over the root mean square of all."""
    values = interpolate(density.values, density.frame, MODEL.xyz)
    return float(values.mean() / np.sqrt((density.values**2).mean()))


def test_density_is_high_at_the_atoms_and_less_so_with_noise():
    quiet, usual, loud = (at_atoms(simulated(noise=noise)) for noise in (0.0, 1.0, 5.0))
    assert quiet > 3
    assert quiet > usual > loud


def test_the_grid_is_the_maps_or_one_around_the_model():
    given = simulated_map(MODEL, resolution=4.0)
    assert simulated(density=given).frame == given.frame
    own = simulated(voxel=0.8, margin=7.0)
    assert own.frame.voxel_xyz == (0.8, 0.8, 0.8)
    assert np.allclose(own.frame.origin_xyz, MODEL.xyz.min(axis=0) - 7)
    assert own.frame.contains(MODEL.xyz + 6.5).all()


def test_coarser_maps_have_less_detail():
    fine, coarse = (simulated(resolution=d, noise=0.0, falloff_b=0.0).values for d in (2.0, 8.0))
    high = [np.abs(np.fft.rfftn(one))[5:-5, 5:-5, 5:].sum() / np.abs(np.fft.rfftn(one)).sum() for one in (fine, coarse)]
    assert high[0] > 5 * high[1]


def test_seed_and_mask():
    np.testing.assert_array_equal(simulated(3).values, simulated(3).values)
    assert not np.array_equal(simulated(3).values, simulated(4).values)
    masked = simulated(mask_radius=3.0)
    assert 0.3 < (masked.values == 0).mean() < 0.99


def test_confidences_are_no_b_factors(caplog):
    sure = replace(MODEL, b_factor=np.full(len(MODEL), 95.0), b_is_confidence=np.ones(len(MODEL), bool))
    found = run_stage("model.simulate", model=sure)
    assert "holds confidences" in caplog.text
    np.testing.assert_array_equal(found.values, simulated(b_factor=20.0).values)
    assert not np.allclose(found.values, simulated(b_factor=95.0).values)


def test_what_cannot_be_is_told():
    with pytest.raises(InputError, match="cannot hold a resolution"):
        simulated(voxel=2.0, resolution=3.0)
    with pytest.raises(InputError, match="voxels along an edge"):
        simulated(voxel=0.1, margin=200.0)


class TestSimulate(StageContract):
    stage_id = "model.simulate"
    may_be_empty = ("density",)  # it only lends its grid

    def params(self):
        return SimulateParams()

    def inputs(self):
        return {"model": MODEL, "density": simulated_map(MODEL, resolution=3.0)}


@pytest.fixture
def program(monkeypatch, capfd):
    """The command in this process: its exit code, what it printed, and what it said on stderr."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments):
        code = console.guard(lambda: app([str(argument) for argument in arguments], prog_name="cryoweave"))
        sys.stdout.flush()
        return code, *capfd.readouterr()

    return call


def test_the_command_writes_a_map(tmp_path, program):
    write_model(tmp_path / "model.cif", MODEL)
    target = tmp_path / "map.mrc"
    code, shown, said = program("simulate", tmp_path / "model.cif", "-o", target, "-d", "3.5", "--seed", "2")
    assert (code, shown) == (0, "")
    assert "voxels of 1 Å" in said
    assert at_atoms(read_map(target)) > 2
    code, _, said = program("simulate", tmp_path / "model.cif", "-o", tmp_path / "map.txt", "-d", "3.5")
    assert code == 1
    assert "is no name of a map" in said
    code, _, said = program("simulate", tmp_path / "model.cif", "-o", target, "-d", "3.5", "--voxel", "3")
    assert code == 1
    assert "take voxels of at most" in said
