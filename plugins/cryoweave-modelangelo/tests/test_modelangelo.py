"""A network of the published layout with random weights; files that do not fit are told."""

import sys
from argparse import Namespace

import numpy as np
import pytest
from scipy import ndimage

torch = pytest.importorskip("torch", reason="needs PyTorch")

from cryoweave import run_stage
from cryoweave.data import DensityMap, Frame
from cryoweave.errors import InputError, PluginError
from cryoweave.host import Context
from cryoweave.testing import StageContract, ideal_model, simulated_map
from cryoweave_modelangelo import network, weights
from cryoweave_modelangelo.classes import FILE, METHOD
from cryoweave_modelangelo.detect import channels, cube, even, of_deviation_1, places, rescaled
from cryoweave_modelangelo.stages import MapsParams

DENSITY = simulated_map(ideal_model("H" * 8), resolution=4.0, voxel=1.5)


@pytest.fixture
def narrow(monkeypatch):
    """An eighth of the width and few blocks: the published network takes a minute a box."""
    monkeypatch.setattr(network, "FEATURES", 8)
    monkeypatch.setattr(network, "BLOCKS", (2, 2, 2, 2))


@pytest.fixture
def file(narrow, tmp_path):
    """As published: under ``model``, with the training's arguments beside it."""
    torch.manual_seed(0)
    path = tmp_path / "file.torch"
    torch.save({"model": network.build().state_dict(), "args": Namespace(box_size=32), "step_num": 7}, path)
    return path


def test_published_shapes():
    shapes = {name: tuple(value.shape) for name, value in network.build().state_dict().items()}
    at = "net.modules_dict."
    assert shapes[f"{at}conv1.conv.weight"] == (64, 2, 5, 5, 5)
    assert shapes[f"{at}conv1.bn.weight"] == (64,)
    assert f"{at}conv1.conv.bias" not in shapes
    assert shapes[f"{at}downsample4.conv.weight"] == (512, 256, 3, 3, 3)
    assert shapes[f"{at}layer1.0.shortcut_conv.weight"] == (256, 64, 1, 1, 1)
    assert f"{at}layer2.0.shortcut_conv.weight" not in shapes
    assert shapes[f"{at}layer2.49.conv2.weight"] == (64, 64, 3, 3, 3)
    assert shapes[f"{at}layer3.0.shortcut_conv.weight"] == (512, 256, 1, 1, 1)
    assert shapes[f"{at}layer4.1.conv3.weight"] == (1024, 256, 1, 1, 1)
    assert f"{at}layer1.0.bn1.weight" not in shapes
    assert shapes[f"{at}translator_layer1.conv.weight"] == (64, 256, 3, 3, 3)
    assert shapes[f"{at}translator_layer4.conv.bias"] == (512,)
    assert shapes[f"{at}latlayer3.conv.weight"] == (256, 128, 3, 3, 3)
    assert shapes[f"{at}predictor.convs.conv_2_7.weight"] == (64, 256, 7, 7, 7)
    assert shapes[f"{at}predictor.final_conv.weight"] == (3, 192, 1, 1, 1)


def test_the_blocks_run(narrow):
    torch.manual_seed(0)
    with torch.inference_mode():
        found = network.forward(network.build().eval(), torch.rand(2, 2, 32, 32, 32))
    assert found.shape == (2, 3, 32, 32, 32)
    assert 0 <= found.min() < found.max() <= 1


def test_the_local_deviation_is_a_gaussian_window():
    values = np.random.default_rng(0).normal(size=(24, 25, 26)).astype(np.float32)
    kernel = np.exp(-(np.linspace(-1.5, 1.5, 21) ** 2))
    kernel /= kernel.sum()

    def around(x):
        for axis in range(3):
            x = ndimage.correlate1d(x, kernel, axis, mode="constant")
        return x

    slow = np.sqrt(np.maximum(around(values.astype(float) ** 2) - around(values.astype(float)) ** 2, 0))
    np.testing.assert_allclose(network.local_deviation(torch.from_numpy(values)), slow / slow.max(), atol=1e-4)


def test_voxels_and_cubes():
    assert even(100, 1.5) == 100
    assert even(100, 1.06) == 70  # 70.67 rounds to 71, which is odd: 70 gives 1.514 Å, 72 gives 1.472
    values = np.random.default_rng(0).random((6, 9, 7)).astype(np.float32)
    density = DensityMap(values, Frame(values.shape, (2.0, 2.0, 2.0), (10.0, 20.0, 30.0)))
    wide = cube(density)
    assert wide.values.shape == (10, 10, 10)
    at = np.rint(wide.frame.to_zyx(density.frame.to_xyz(np.indices(values.shape).reshape(3, -1).T))).astype(int)
    np.testing.assert_array_equal(wide.values[tuple(at.T)], values.ravel())
    uneven = cube(DensityMap(values, Frame(values.shape, (1.0, 1.0, 2.0))))
    assert uneven.frame.voxel_xyz == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("voxel", [1.0, 2.0])
def test_rescaling_keeps_waves_and_their_place(voxel):
    n = 48
    frame = Frame((n, n, n), (voxel,) * 3, (5.0, 6.0, 7.0))

    def waves(frame):
        edge = n * voxel
        x, y, z = ((frame.to_xyz(np.indices(frame.shape_zyx).reshape(3, -1).T) - frame.origin_xyz) / edge).T
        found = 1 + np.cos(2 * np.pi * 3 * x) + np.sin(2 * np.pi * (2 * y - 5 * z))
        return found.reshape(frame.shape_zyx).astype(np.float32)

    new = rescaled(DensityMap(waves(frame), frame))
    assert new.values.shape[0] == even(n, voxel) != n
    np.testing.assert_allclose(new.values, waves(new.frame), atol=1e-4)


@pytest.mark.parametrize(("n", "starts"), [(100, [0, 16, 35]), (70, [0, 5]), (65, [0]), (30, [0])])
def test_places_of_boxes(n, starts):
    assert [start for start, _ in places(n, 64, 16)] == starts


def test_channels_are_of_mean_0_and_deviation_1():
    found = channels(DENSITY.values)
    assert abs(found[0].mean()) < 1e-4
    assert found[0].std() == pytest.approx(1, abs=1e-3)
    assert found[1].max() == pytest.approx(1, abs=1e-4)


def test_each_box_has_mean_0_and_deviation_1():
    boxes = np.random.default_rng(0).random((3, 2, 8, 8, 8)).astype(np.float32)
    found = of_deviation_1(boxes)
    np.testing.assert_allclose(found[:, 0].mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(found[:, 0].std(axis=(1, 2, 3), ddof=1), 1, atol=1e-4)
    np.testing.assert_array_equal(found[:, 1], boxes[:, 1])


def test_the_box_is_the_checkpoints_unless_it_is_set(file, tmp_path):
    assert weights.load(MapsParams(network=file), Context())[1] == 32
    assert weights.load(MapsParams(network=file, box=48), Context())[1] == 48
    content = torch.load(file, weights_only=False)
    torch.save({"model": content["model"]}, tmp_path / "a.torch")
    assert weights.load(MapsParams(network=tmp_path / "a.torch"), Context())[1] == 64
    torch.save({"model": content["model"], "args": Namespace(box_size="x")}, tmp_path / "a.torch")
    with pytest.raises(InputError, match="'x' voxels"):
        weights.check(MapsParams(network=tmp_path / "a.torch"))


def test_maps_cover_the_density(file):
    maps = run_stage("modelangelo.maps", density=DENSITY, params={"network": file})
    assert maps.classes == ("CA", "P", "backbone")
    assert maps.frame.contains(ideal_model("H" * 8).xyz).all()
    edge = maps.values[0][0]
    assert edge.any(), "the rim that is thrown away lies outside of the map"


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_files_that_do_not_fit(file, tmp_path):
    content = torch.load(file, weights_only=False)["model"]
    name = "net.modules_dict.predictor.final_conv.bias"
    cases = {
        f"another layout: it lacks {name}": {k: v for k, v in content.items() if k != name},
        "it has besides more": {**content, "more": torch.zeros(7)},
        rf"{name} is \(4,\), wanted \(3,\)": {**content, name: torch.zeros(4)},
    }
    path = tmp_path / "net.pth"
    for message, value in cases.items():
        torch.save({"model": value}, path)
        with pytest.raises(InputError, match=message) as error:
            weights.check(MapsParams(network=path))
        assert "nucleotides" in error.value.hint
    torch.save({"model": content, "args": Evil(tmp_path / "made")}, path)
    with pytest.raises(InputError, match="weights alone"):
        weights.check(MapsParams(network=path))
    assert not (tmp_path / "made").exists()
    torch.save({"state_dict": content}, path)
    with pytest.raises(InputError, match="holds no model"):
        weights.check(MapsParams(network=path))
    path.write_bytes(file.read_bytes()[:100_000])
    with pytest.raises(InputError, match="no checkpoint of weights alone"):
        weights.check(MapsParams(network=path))


def test_what_is_missing_is_said(tmp_path, monkeypatch, file):
    monkeypatch.setenv("CRYOWEAVE_WEIGHTS", str(tmp_path))
    with pytest.raises(InputError, match=FILE) as error:
        weights.check(MapsParams())
    assert str(tmp_path / METHOD / FILE) in error.value.hint
    assert str(tmp_path / METHOD) in weights.check_weights().hint
    (tmp_path / METHOD).mkdir()
    (tmp_path / METHOD / FILE).symlink_to(file)
    assert weights.check_weights().ok
    weights.check(MapsParams())
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(PluginError, match="not installed"):
        weights.check(MapsParams())


class TestMaps(StageContract):
    stage_id = "modelangelo.maps"

    @pytest.fixture(autouse=True)
    def _files(self, file):
        self.file = file

    def params(self):
        return MapsParams(network=self.file)

    def inputs(self):
        return {"density": DENSITY}
