"""Networks of the published layout with random weights; files that do not fit are told."""

import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch")

from cryoweave import run_stage
from cryoweave.data import DensityMap, Frame
from cryoweave.errors import InputError, PluginError, StageError
from cryoweave.host import Context, registry
from cryoweave.kernels.network_input import from_0_to_1
from cryoweave.testing import StageContract, ideal_model, simulated_map
from cryoweave_deepmainmast import detect, weights
from cryoweave_deepmainmast.classes import AMINO, AMINO_FILE, ATOM_FILE, ATOMS, METHOD
from cryoweave_deepmainmast.detect import CLASSES, filled, worth
from cryoweave_deepmainmast.network import amino, atoms, build_amino, build_atoms
from cryoweave_deepmainmast.stages import MapsParams

DENSITY = simulated_map(ideal_model("H" * 8), resolution=4.0, voxel=1.5)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """As published: the names of weights begin with ``module.``, and they lie under ``state_dict``."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    for name, build in ((ATOM_FILE, build_atoms), (AMINO_FILE, build_amino)):
        found = {f"module.{key}": value for key, value in build().state_dict().items()}
        torch.save({"epoch": 1, "state_dict": found}, folder / name)
    return {"atoms": folder / ATOM_FILE, "amino": folder / AMINO_FILE}


def test_published_shapes():
    atom, acid = (build().state_dict() for build in (build_atoms, build_amino))
    assert atom["outconv1.weight"].shape == (7, 192, 3, 3, 3)
    assert acid["outconv3.bias"].shape == (20,)
    assert atom["conv1.conv1.0.weight"].shape == acid["conv1.conv1.0.weight"].shape == (64, 1, 3, 3, 3)
    assert set(atom) == set(acid)


def test_one_box_gives_what_the_networks_give(files):
    values = np.zeros((20, 18, 16), np.float32)
    values[2:18, 3:15, 1:14] = np.random.default_rng(0).random((16, 12, 13)) + 0.1
    density = DensityMap(values, Frame(values.shape, (1.0, 1.0, 1.0), (5.0, 6.0, 7.0)))
    maps = run_stage("deepmainmast.maps", density=density, params=files)
    assert maps.classes == CLASSES
    assert maps.frame == density.frame
    block = filled(values)
    assert block == (slice(2, 17), slice(3, 14), slice(1, 13))
    seen = from_0_to_1(DensityMap(values[block], Frame((15, 11, 12))), 0.98)[0].values
    box = np.zeros((1, 1, 32, 32, 32), np.float32)
    box[0, 0, :15, :11, :12] = seen
    nets = weights.load(MapsParams(**files), Context())
    for network, names, first in ((nets[0], ATOMS[1:], 1), (nets[1], AMINO, 0)):
        expected = network.run(box)[0, first:, :15, :11, :12]
        for name, one in zip(names, expected, strict=True):
            np.testing.assert_allclose(maps.of(name).values[block], one, atol=1e-3, err_msg=name)
    chain = sum(maps.of(name).values for name in ("N", "CA", "C", "O"))
    np.testing.assert_allclose(maps.of("backbone").values, np.minimum(chain, 1), atol=2e-3)
    assert not maps.values[:, 17:].any()


def test_atoms_exclude_each_other_and_amino_acids_do_not():
    torch.manual_seed(1)
    boxes = torch.rand(1, 1, 8, 8, 8)
    with torch.inference_mode():
        found = atoms(build_atoms().eval(), boxes)
        acids = amino(build_amino().eval(), boxes)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(1, 8, 8, 8))
    assert acids.shape == (1, 20, 8, 8, 8)
    assert not torch.allclose(acids.sum(dim=1), torch.ones(1, 8, 8, 8))


def test_a_box_is_worth_running_above_a_thousandth():
    box = np.zeros((1, 10, 10, 10), np.float32)
    box[0, 0, 0, 0] = 0.5
    assert not worth(box, 0.0)
    box[0, 0, 0, 1] = 0.5
    assert worth(box, 0.0)
    assert not worth(box, 0.5)


def test_a_contour_above_the_density_is_told(files):
    with pytest.raises(StageError, match="above nearly all density"):
        run_stage("deepmainmast.maps", density=DENSITY, params={**files, "contour": 99.0})


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_files_that_do_not_fit(files, tmp_path):
    content = torch.load(files["atoms"], weights_only=True)["state_dict"]
    name = "module.outconv1.bias"
    cases = {
        "another layout: it lacks outconv1.bias": {key: value for key, value in content.items() if key != name},
        "it has besides outconv4.bias": {**content, "module.outconv4.bias": torch.zeros(7)},
        r"outconv1.bias is \(8,\), wanted \(7,\)": {**content, name: torch.zeros(8)},
    }
    path = tmp_path / "net.pth"
    for message, value in cases.items():
        torch.save({"state_dict": value}, path)
        with pytest.raises(InputError, match=message):
            weights.check(MapsParams(atoms=path, amino=files["amino"]))
    torch.save({"state_dict": content, "code": Evil(tmp_path / "made")}, path)
    with pytest.raises(InputError, match="weights alone"):
        weights.check(MapsParams(atoms=path, amino=files["amino"]))
    assert not (tmp_path / "made").exists()
    path.write_bytes(files["atoms"].read_bytes()[:100_000])
    with pytest.raises(InputError, match="no checkpoint of weights alone"):
        weights.check(MapsParams(atoms=path, amino=files["amino"]))


def test_the_files_in_each_others_place_are_told(files):
    with pytest.raises(InputError, match="wanted"):
        weights.check(MapsParams(atoms=files["amino"], amino=files["atoms"]))


def test_what_is_missing_is_said(tmp_path, monkeypatch, files):
    monkeypatch.setenv("CRYOWEAVE_WEIGHTS", str(tmp_path))
    with pytest.raises(InputError, match=ATOM_FILE) as error:
        weights.check(MapsParams(amino=files["amino"]))
    assert str(tmp_path / METHOD / ATOM_FILE) in error.value.hint
    found = weights.check_weights()
    assert not found.ok
    assert str(tmp_path / METHOD) in found.hint
    (tmp_path / METHOD).mkdir()
    for path in files.values():
        (tmp_path / METHOD / path.name).write_bytes(path.read_bytes())
    assert weights.check_weights().ok
    weights.check(MapsParams())
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "cryoweave[train]" in weights.check_weights().hint
    with pytest.raises(PluginError, match="not installed"):
        weights.check(MapsParams())


def test_the_recipe_names_stages_that_are_there():
    for step in registry().recipe("deepmainmast-mainmast").steps:
        registry().stage(step.stage)


class TestMaps(StageContract):
    stage_id = "deepmainmast.maps"

    @pytest.fixture(autouse=True)
    def _files(self, files, monkeypatch):
        self.files = files
        monkeypatch.setattr(detect, "BOX", 16)  # an eighth of the time

    def params(self):
        return MapsParams(**self.files)

    def inputs(self):
        return {"density": DENSITY}
