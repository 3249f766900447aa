"""Networks of the published layout with random weights, in small boxes; files that do not fit are told."""

import logging
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch")

from cryoweave import run_stage
from cryoweave.data import DensityMap, Frame
from cryoweave.errors import InputError, PluginError, StageError
from cryoweave.host import Context
from cryoweave.kernels.network_input import from_0_to_1
from cryoweave.testing import StageContract, ideal_model, simulated_map
from cryoweave_cryoread import detect, weights
from cryoweave_cryoread.classes import CLASSES, FIRST_FILE, METHOD, SECOND_FILE
from cryoweave_cryoread.detect import is_dense, is_likely
from cryoweave_cryoread.network import build_first, build_second, first
from cryoweave_cryoread.stages import MapsParams

DENSITY = simulated_map(ideal_model("HHH"), resolution=4.0, voxel=1.5)
SMALL = 16
"""Voxels of a box here: 64 would take a minute each."""


@pytest.fixture(autouse=True)
def _small_boxes(monkeypatch):
    monkeypatch.setattr(detect, "BOX", SMALL)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """As published: the names of weights begin with ``module.``, and they lie under ``state_dict``."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    for name, build in ((FIRST_FILE, build_first), (SECOND_FILE, build_second)):
        found = {f"module.{key}": value for key, value in build().state_dict().items()}
        torch.save({"epoch": 1, "state_dict": found}, folder / name)
    return {"first": folder / FIRST_FILE, "second": folder / SECOND_FILE}


def test_published_shapes():
    cascade, top = build_first().state_dict(), build_second().state_dict()
    assert cascade["chain_net.conv1.conv1.0.weight"].shape == (64, 1, 3, 3, 3)
    assert cascade["base_net.conv1.conv1.0.weight"].shape == (64, 1 + 192, 3, 3, 3)
    assert cascade["base_net.conv2.conv1.0.weight"].shape == (128, 64 + 192, 3, 3, 3)
    assert cascade["base_net.conv3.conv1.0.weight"].shape == (256, 128 + 256, 3, 3, 3)
    assert cascade["chain_net.outconv1.bias"].shape == (4,)
    assert cascade["base_net.outconv2.bias"].shape == (5,)
    assert top["conv1.conv1.0.weight"].shape == (64, 8, 3, 3, 3)
    assert top["outconv1.bias"].shape == (8,)


def test_one_box_goes_through_both_networks(files):
    values = np.random.default_rng(0).random((SMALL, 12, 10)).astype(np.float32)
    density = DensityMap(values, Frame(values.shape, (1.0, 1.0, 1.0), (5.0, 6.0, 7.0)))
    maps = run_stage("cryoread.maps", density=density, params=files)
    assert maps.classes == CLASSES
    assert maps.frame == density.frame
    nets = weights.load(MapsParams(**files), Context())
    box = np.zeros((1, 1, SMALL, SMALL, SMALL), np.float32)
    box[0, 0, :, :12, :10] = from_0_to_1(density, 0.98)[0].values
    said = nets[0].run(box)
    said[:, :, :, 12:], said[:, :, :, :, 10:] = 0, 0  # beyond the map
    said[:, 5] = np.maximum(said[:, 5], said[:, 8])
    expected = nets[1].run(said[:, :8])[0, :, :, :12, :10]
    np.testing.assert_allclose(maps.values, expected, atol=1e-3)


def test_the_second_part_sees_the_first_one():
    torch.manual_seed(1)
    net, boxes = build_first().eval(), torch.rand(1, 1, 8, 8, 8)
    with torch.inference_mode():
        before = first(net, boxes)
        net["chain_net"]["bn1d_1"].bias += 0.5
        after = first(net, boxes)
    assert before.shape == (1, 9, 8, 8, 8)
    assert not torch.allclose(before[:, 4:], after[:, 4:])


def test_which_boxes_are_run():
    box = np.zeros((9, 10, 10, 10), np.float32)
    assert not is_dense(box, 0.0)
    box[0, 0, 0, :2] = 0.5
    assert is_dense(box, 0.0)
    assert not is_dense(box, 0.5)
    assert not is_likely(box)
    box[3, 0, 0, :2] = 0.6
    assert is_likely(box)


def test_where_nothing_is_likely_the_maps_are_empty_and_it_is_said(files, tmp_path, caplog):
    content = torch.load(files["first"], weights_only=True)
    for net in ("chain_net", "base_net"):
        content["state_dict"][f"module.{net}.outconv1.weight"].zero_()
        content["state_dict"][f"module.{net}.outconv1.bias"].fill_(-9)
    torch.save(content, tmp_path / "a.pth")
    with caplog.at_level(logging.WARNING):
        maps = detect.maps(DENSITY, MapsParams(first=tmp_path / "a.pth", second=files["second"], stride=16), Context())
    assert not maps.values.any()
    assert "next to nothing" in caplog.text


def test_a_contour_above_the_density_is_told(files):
    with pytest.raises(StageError, match="above nearly all density"):
        run_stage("cryoread.maps", density=DENSITY, params={**files, "contour": 99.0})


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_files_that_do_not_fit(files, tmp_path):
    content = torch.load(files["first"], weights_only=True)["state_dict"]
    name = "module.base_net.outconv1.bias"
    cases = {
        "another layout: it lacks base_net.outconv1.bias": {k: v for k, v in content.items() if k != name},
        "it has besides more": {**content, "module.more": torch.zeros(7)},
        r"base_net.outconv1.bias is \(4,\), wanted \(5,\)": {**content, name: torch.zeros(4)},
    }
    path = tmp_path / "net.pth"
    for message, value in cases.items():
        torch.save({"state_dict": value}, path)
        with pytest.raises(InputError, match=message):
            weights.check(MapsParams(first=path, second=files["second"]))
    torch.save({"state_dict": content, "code": Evil(tmp_path / "made")}, path)
    with pytest.raises(InputError, match="weights alone"):
        weights.check(MapsParams(first=path, second=files["second"]))
    assert not (tmp_path / "made").exists()
    path.write_bytes(files["first"].read_bytes()[:100_000])
    with pytest.raises(InputError, match="no checkpoint of weights alone"):
        weights.check(MapsParams(first=path, second=files["second"]))
    with pytest.raises(InputError, match="another layout"):
        weights.check(MapsParams(first=files["second"], second=files["first"]))


def test_what_is_missing_is_said(tmp_path, monkeypatch, files):
    monkeypatch.setenv("CRYOWEAVE_WEIGHTS", str(tmp_path))
    with pytest.raises(InputError, match=SECOND_FILE) as error:
        weights.check(MapsParams(first=files["first"]))
    assert str(tmp_path / METHOD / SECOND_FILE) in error.value.hint
    found = weights.check_weights()
    assert not found.ok
    assert str(tmp_path / METHOD) in found.hint
    (tmp_path / METHOD).mkdir()
    for path in files.values():
        (tmp_path / METHOD / path.name).symlink_to(path)
    assert weights.check_weights().ok
    weights.check(MapsParams())
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(PluginError, match="not installed"):
        weights.check(MapsParams())


class TestMaps(StageContract):
    stage_id = "cryoread.maps"

    @pytest.fixture(autouse=True)
    def _files(self, files):
        self.files = files

    def params(self):
        return MapsParams(**self.files)

    def inputs(self):
        return {"density": DENSITY}
