"""Main chains in coarse maps: labels, diffusion's steps, stages."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
pytest.importorskip("onnx", reason="needs onnx to make small networks")

from cryoweave import run_stage
from cryoweave.errors import InputError
from cryoweave.testing import StageContract, ideal_model, simulated_map
from cryoweave_unet.classes import CHAIN, STRUCTURE
from cryoweave_unet.coarse import coarse_sample, trace_map
from cryoweave_unet.diffusion import sampled
from cryoweave_unet.stages import ChainParams, DiffuseParams

from .networks import write_network

DENSITY = simulated_map(ideal_model("H" * 30 + "C" * 5 + "E" * 12), resolution=6.0)
CLASSES = (*CHAIN[1:], *STRUCTURE)


def test_labels_lie_along_the_chain(small):
    """Every main-chain atom in the box has its class in its voxel, and labelled density is high."""
    found = [coarse_sample(small.entry, np.random.default_rng(seed), 32, (6.0, 6.0)) for seed in range(8)]
    for one in found:
        assert set(np.unique(one.chain)) <= {0, 1}
        np.testing.assert_array_equal(one.structure >= 0, one.chain == 1)
    inside = np.concatenate([one.density[one.chain == 1] for one in found])
    outside = np.concatenate([one.density[one.chain == 0] for one in found])
    assert len(inside) > 500
    assert inside.mean() > 0.3 + outside.mean()
    smooth = trace_map(found[0].chain)
    assert smooth.min() >= 0
    assert smooth.max() <= 1
    assert smooth[found[0].chain > 0].mean() > 3 * smooth[found[0].chain == 0].mean()


def test_a_perfect_denoiser_gives_its_map_in_any_number_of_steps():
    truth = np.where(np.random.default_rng(1).random((6, 7, 8)) < 0.2, 1, -1).astype(np.float32)
    seen = []

    def clean_of(noisy, time):
        seen.append((time, float(np.corrcoef(noisy.ravel(), truth.ravel())[0, 1])))
        return truth

    for steps in (1, 2, 5):
        np.testing.assert_array_equal(sampled(truth.shape, steps, 0, clean_of), truth)
    times, likeness = zip(*seen[-5:], strict=True)
    assert times == pytest.approx((1, 0.8, 0.6, 0.4, 0.2))
    assert (np.diff(likeness) > 0).all()


def test_sampling_follows_the_distribution():
    """One voxel that is -1 or 1, each for half of all times: the exact denoiser's samples are both."""

    def clean_of(noisy, time):
        signal, noise = np.cos(0.5 * np.pi * time), max(np.sin(0.5 * np.pi * time), 1e-3)
        return np.tanh(signal * noisy / noise**2).astype(np.float32)

    found = sampled((20_000,), 20, 3, clean_of)
    assert (np.abs(found) > 0.9).mean() > 0.95
    assert found.mean() == pytest.approx(0, abs=0.03)


def test_a_network_of_another_task_is_refused(tmp_path):
    path, _ = write_network(tmp_path / "net.onnx", outputs=6, task="diffusion")
    with pytest.raises(InputError, match="is a network of diffusion"):
        run_stage("unet.chains", density=DENSITY, params={"network": path})
    with pytest.raises(InputError, match=r"wanted density \(any, 3, any, any, any\)"):
        run_stage("unet.diffuse", density=DENSITY, params={"network": path})


class TestChains(StageContract):
    stage_id = "unet.chains"

    @pytest.fixture(autouse=True)
    def _network(self, tmp_path):
        self.network, _ = write_network(tmp_path / "net.onnx", outputs=6, task="chains")

    def params(self):
        return ChainParams(network=self.network)

    def inputs(self):
        return {"density": DENSITY}

    def test_classes(self):
        found = run_stage("unet.chains", density=DENSITY, params=self.params())
        assert found.classes == CLASSES
        assert found.frame.voxel_xyz == (2.0, 2.0, 2.0)


class TestDiffusion(StageContract):
    stage_id = "unet.diffuse"

    @pytest.fixture(autouse=True)
    def _network(self, tmp_path):
        self.network, _ = write_network(tmp_path / "net.onnx", outputs=1, inputs=3, task="diffusion")

    def params(self):
        return DiffuseParams(network=self.network, steps=3)

    def inputs(self):
        return {"density": DENSITY}
