"""From a map to probabilities and points; networks that do not fit are told."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage, special

pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
pytest.importorskip("onnx", reason="needs onnx to make small networks")

from cryoweave import run_stage
from cryoweave.data import DensityMap, Frame, ProbabilityMaps
from cryoweave.errors import InputError, PluginError, StageError
from cryoweave.io.maps import read_map
from cryoweave.io.models import read_model
from cryoweave.kernels.grid import interpolate
from cryoweave.pipeline.validation import validate
from cryoweave.testing import StageContract, ideal_model, perfect_maps, simulated_map
from cryoweave_unet import weights
from cryoweave_unet.classes import AMINO, ATOMS, CLASSES, HEADS
from cryoweave_unet.evaluate import figures_of
from cryoweave_unet.prepare import prepared
from cryoweave_unet.stages import MapsParams, NetworkParams

from .networks import write_network

DENSITY = simulated_map(ideal_model(), resolution=3.0)


def test_tiles_fit_together(tmp_path):
    """A whole map of several tiles equals the convolution of all of it."""
    path, weight = write_network(tmp_path / "net.onnx")
    values = np.random.default_rng(2).normal(0, 1, (70, 91, 66)).astype(np.float32)
    density = DensityMap(values, Frame(values.shape))
    found = run_stage("unet.maps", density=density, params={"network": path})
    assert found.classes == CLASSES
    assert found.values.dtype == np.float16
    fine = prepared(density).values
    logits = np.stack([ndimage.correlate(fine, w[0], mode="constant") for w in weight])
    start = 0
    for classes in HEADS.values():
        expected = special.softmax(logits[start : start + len(classes)], axis=0)
        start += len(classes)
        for i, name in enumerate(classes):
            if name not in ("none",):
                np.testing.assert_allclose(found.of(name).values, expected[i], atol=2e-3, err_msg=name)
    chain = sum(found.of(name).values for name in ("N", "CA", "C", "O"))
    np.testing.assert_allclose(found.of("backbone").values, chain, atol=3e-3)


def test_turned_views_are_turned_back(tmp_path):
    """The mean over four orientations turns with the map; one view alone does not: no kernel is symmetric."""
    path, _ = write_network(tmp_path / "net.onnx")
    values = np.random.default_rng(2).normal(0, 1, (24, 20, 22)).astype(np.float32)

    def backbone(map_values, turns):
        density = DensityMap(np.ascontiguousarray(map_values), Frame(map_values.shape))
        return run_stage("unet.maps", density=density, params={"network": path, "turns": turns}).values

    for axes in ((1, 2), (0, 2), (0, 1)):
        there = tuple(axis + 1 for axis in axes)
        plain, turned = (np.flip(backbone(np.flip(values, axes), n), there) for n in (1, 4))
        np.testing.assert_allclose(turned, backbone(values, 4), atol=2e-3)
        assert np.abs(plain.astype(np.float32) - backbone(values, 1)).max() > 0.05


def test_empty_tiles_are_left_out(tmp_path):
    path, _ = write_network(tmp_path / "net.onnx")
    values = np.zeros((150, 20, 20), np.float32)
    values[5:15, 5:15, 5:15] = 1
    found = run_stage("unet.maps", density=DensityMap(values, Frame(values.shape)), params={"network": path})
    assert found.of("backbone").values[:64].any()
    assert not found.of("backbone").values[64:].any()


def test_only_atoms_on_request(tmp_path):
    path, _ = write_network(tmp_path / "net.onnx")
    found = run_stage("unet.maps", density=DENSITY, params={"network": path, "classes": "atoms"})
    assert found.classes == ("backbone", *ATOMS[1:], "P", "sugar", "base")


def maps_of(model):
    return perfect_maps(model, DENSITY.frame.with_voxel(1.0), CLASSES)


def test_figures_of_a_perfect_network():
    found = figures_of(maps_of(ideal_model()), ideal_model())
    assert found.recall > 0.95
    assert found.precision > 0.95
    assert found.amino_top1 > 0.9
    assert found.backbone == 1
    with pytest.raises(InputError, match="no Cα"):
        figures_of(maps_of(ideal_model()), ideal_model().select(slice(0, 0)))


def test_networks_that_do_not_fit(tmp_path):
    cases = {
        "input": ({"name": "boxes"}, "wanted density"),
        "outputs": ({"outputs": 5}, "wanted 34 classes|gives an array"),
        "stride": ({"stride": ""}, "does not say its stride"),
        "odd": ({"stride": "x"}, "does not say its stride"),
    }
    for case, (options, message) in cases.items():
        path, _ = write_network(tmp_path / f"{case}.onnx", **options)
        with pytest.raises(InputError, match=message):
            run_stage("unet.maps", density=DENSITY, params={"network": path})
    (tmp_path / "broken.onnx").write_bytes(b"cos\nsystem\n(S'true'\ntR.")  # a pickle with code in it
    with pytest.raises(InputError, match="is no ONNX network, or damaged"):
        run_stage("unet.maps", density=DENSITY, params={"network": tmp_path / "broken.onnx"})
    with pytest.raises(InputError, match="there is no file"):
        run_stage("unet.maps", density=DENSITY, params={"network": tmp_path / "nowhere.onnx"})
    path, _ = write_network(tmp_path / "inf.onnx", scale=np.inf)
    with pytest.raises(StageError, match="not finite"):
        run_stage("unet.maps", density=DENSITY, params={"network": path})


def test_own_weights_missing_or_changed_are_told(tmp_path, monkeypatch):
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setattr(weights, "files", lambda _package: tmp_path)
    with pytest.raises(PluginError, match="names no weights"):
        run_stage("unet.maps", density=DENSITY)
    (data / weights.TABLE).write_text(json.dumps({"detect": {"file": "unet.onnx", "sha256": "0" * 64}}))
    with pytest.raises(PluginError, match=r"unet\.onnx are missing"):
        run_stage("unet.maps", density=DENSITY)
    assert not weights.check_weights().ok
    (data / "unet.onnx").write_bytes(b"anything")
    with pytest.raises(PluginError, match="SHA-256 differs") as error:
        run_stage("unet.maps", density=DENSITY)
    assert "install cryoweave-unet again" in error.value.hint


def test_a_network_that_sees_nothing_has_figures():
    maps = maps_of(ideal_model())
    first, *_ = ideal_model().trace_atoms().xyz
    values = maps.values.copy()
    near = np.linalg.norm(maps.frame.to_xyz(np.indices(maps.frame.shape_zyx).reshape(3, -1).T) - first, axis=1) < 8
    values[:, near.reshape(maps.frame.shape_zyx)] = 0
    one = ideal_model().select(ideal_model().residue_number == 1)
    found = figures_of(ProbabilityMaps(values, maps.frame, CLASSES), one)
    assert (found.recall, found.precision, found.f1) == (0, 0, 0)


def test_the_shipped_weights_are_whole_and_see_the_demo_map():
    """EMD-2566 was in no training: far above what chance or density alone would give."""
    assert weights.check_weights().ok
    folder = Path(__file__).resolve().parents[3] / "examples" / "emd2566"
    maps = run_stage("unet.maps", density=read_map(folder / "2566_3J6B_9.mrc.gz"))
    found = figures_of(maps, read_model(folder / "3J6B_9.pdb"))
    assert found.f1 > 0.8
    assert found.amino_top1 > 0.25


def test_the_shipped_weights_tell_right_residues_from_wrong_ones():
    """DAQ of the deposited model is high; with the names moved along the chain it is not."""
    folder = Path(__file__).resolve().parents[3] / "examples" / "emd2566"
    density, model = read_map(folder / "2566_3J6B_9.mrc.gz"), read_model(folder / "3J6B_9.pdb")
    right = validate(model, density=density, stages=["daq.score"])
    assert right.steps[0]["inputs"]["points"] == "unet.around"
    trace = model.select(model.atom_name == "CA")
    name_of = dict(zip(trace.residue_number.tolist(), trace.residue_name.tolist(), strict=True))
    moved = [name_of.get(number + 2, "ALA") for number in model.residue_number.tolist()]
    wrong = validate(
        replace(model, residue_name=np.array(moved)), density=density, stages=["daq.score"], offered=right.offered
    )
    assert right.scores.whole["daq_aa"] > 0.5
    assert wrong.scores.whole["daq_aa"] < 0
    assert right.scores.whole["daq_ca"] == pytest.approx(wrong.scores.whole["daq_ca"], abs=0.05)


def test_around_a_model_the_maps_are_the_same(tmp_path):
    path, _ = write_network(tmp_path / "net.onnx")
    maps = run_stage("unet.maps", density=DENSITY, params={"network": path})
    cloud = run_stage("unet.around", density=DENSITY, model=ideal_model(), params={"network": path})
    for name in (*AMINO, "helix"):
        there = interpolate(maps.of(name).values, maps.frame, cloud.xyz)
        np.testing.assert_allclose(cloud.probabilities[:, cloud.classes.index(name)], there, atol=2e-3)
    atoms = cloud.probabilities[:, [cloud.classes.index(name) for name in ATOMS[1:]]]
    np.testing.assert_allclose(atoms.sum(axis=1), 1, atol=1e-5)
    with pytest.raises(InputError, match="no amino acid in the map"):
        run_stage("unet.around", density=DENSITY, model=moved_far(ideal_model()), params={"network": path})


def moved_far(model):
    return replace(model, xyz=model.xyz + 1e4)


def test_without_the_runtime_it_is_told(monkeypatch, tmp_path):
    path, _ = write_network(tmp_path / "net.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(PluginError, match="needs ONNX Runtime") as error:
        run_stage("unet.maps", density=DENSITY, params={"network": path})
    assert "cryoweave[learned]" in error.value.hint
    monkeypatch.setattr(weights, "shipped", lambda: {"detect": ("unet.onnx", "")})
    monkeypatch.setattr(weights, "_problem", lambda _path, _digest: "")
    assert "cryoweave[learned]" in weights.check_weights().hint


class TestMaps(StageContract):
    stage_id = "unet.maps"

    @pytest.fixture(autouse=True)
    def _network(self, tmp_path):
        self.network, _ = write_network(tmp_path / "net.onnx")

    def params(self):
        return MapsParams(network=self.network)

    def inputs(self):
        return {"density": DENSITY}


class TestAround(TestMaps):
    stage_id = "unet.around"

    def params(self):
        return NetworkParams(network=self.network)

    def inputs(self):
        return {"density": DENSITY, "model": ideal_model()}
