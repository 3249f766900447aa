"""Training of a toy, and what becomes of it."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch")
pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from cryoweave.errors import InputError
from cryoweave.io.onnx import Network
from cryoweave_unet.export import export, weights_of
from cryoweave_unet.network import STRIDE, UNet
from cryoweave_unet.samples import Source
from cryoweave_unet.tasks import CHAINS, DETECT, DIFFUSION, as_tensors
from cryoweave_unet.train import LOG, STATE, Settings, Training, mean_of

TOY = Settings(batch=2, warm=5, rate=3e-3)


def source_of(small, task=DETECT):
    return Source((small.entry,), (), 32, task.resolutions, 0.0, 0, task.simulate)


def trained(folder, small, steps, **options):
    """A training stopped after so many steps, as by Ctrl-C."""
    training = Training(folder, source_of(small), TOY, **options)

    def stop(step, _losses):
        if step >= steps:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.run(10, stop, every=1)
    return training


def test_it_learns_stops_and_goes_on(tmp_path, small):
    first = trained(tmp_path / "run", small, 6)
    assert (tmp_path / "run" / STATE).is_file()
    assert not list((tmp_path / "run").glob("*.part"))
    second = trained(tmp_path / "run", small, 30)
    assert second.step == 30
    assert second.seconds > first.seconds
    lines = [json.loads(line) for line in (tmp_path / "run" / LOG).read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 31))
    assert np.mean([line["atoms"] for line in lines[-5:]]) < 0.7 * np.mean([line["atoms"] for line in lines[:3]])


def test_a_training_that_was_stopped_equals_one_that_was_not(tmp_path, small):
    trained(tmp_path / "a", small, 2)
    halves = trained(tmp_path / "a", small, 4)
    whole = trained(tmp_path / "b", small, 4)
    for name, value in whole.net.state_dict().items():
        assert torch.allclose(value, halves.net.state_dict()[name], atol=1e-5), name


@pytest.mark.parametrize("bits", [16, 8])
def test_the_exported_network_is_the_same(tmp_path, small, bits):
    trained(tmp_path / "run", small, 3)
    state, about = mean_of(tmp_path / "run")
    path = tmp_path / "net.onnx"
    export(state, path, about, bits)
    assert path.stat().st_size < (7e6 if bits == 16 else 3.6e6)
    net = UNet()
    net.load_state_dict(weights_of(path, DETECT))
    net.eval()
    box = Source((small.entry,), (), 24, (3.0, 3.0), 0.0, 1).sample(0).density[None, None]
    network = Network(path, threads=1)
    assert network.about["stride"] == str(STRIDE)
    assert network.about["steps"] == "3"
    with torch.no_grad():
        expected = net(torch.from_numpy(box)).numpy()
    (found,) = network.run({"density": box})
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(1, np.abs(expected).max()))


def test_training_goes_on_from_a_file(tmp_path, small):
    trained(tmp_path / "run", small, 3)
    state, about = mean_of(tmp_path / "run")
    export(state, tmp_path / "net.onnx", about)
    start = weights_of(tmp_path / "net.onnx", DETECT)
    net, other = UNet(), UNet()
    net.load_state_dict(state)
    other.load_state_dict(start)
    box = torch.randn(2, 1, 16, 16, 16, generator=torch.Generator().manual_seed(1))
    for one in (net, other):
        one.train()  # as in training, where each batch is normalised by itself
    with torch.no_grad():
        a, b = net(box), other(box)
    assert float((a - b).abs().max()) < 2e-2 * float(a.abs().max())
    Training(tmp_path / "new", source_of(small), TOY, start=start)


def test_the_sparse_heads_are_the_dense_ones(small):
    net = UNet().eval()
    batch = as_tensors([Source((small.entry,), (), 16, (3.0, 3.0), 0.0, 1).sample(i) for i in range(2)])
    places = torch.nonzero(batch["amino"] >= -1, as_tuple=True)
    with torch.no_grad():
        whole = net(batch["density"])
        dense, points = net.sparse(batch["density"], places)
    n, z, y, x = places
    assert torch.allclose(whole[:, :11], dense, atol=1e-5)
    assert torch.allclose(whole[n, 11:, z, y, x], points, atol=1e-4)


@pytest.mark.parametrize("task", [DETECT, CHAINS, DIFFUSION], ids=lambda task: task.name)
def test_boxes_without_a_residue_cost_nothing(task, small):
    box = Source((small.entry,), (), 32, task.resolutions, 0.0, 1, task.simulate).sample(0)
    batch = {name: torch.zeros_like(value) for name, value in as_tensors([box]).items()}
    batch |= {name: torch.full_like(batch[name], -1) for name in ("structure", "amino") if name in batch}
    losses = task.losses(task.build(), batch)
    assert set(losses) == set(task.weights)
    assert all(torch.isfinite(value) for value in losses.values())
    assert float(losses.get("structure", torch.zeros(()))) == 0


def test_damaged_states_are_told(tmp_path, small):
    with pytest.raises(InputError, match="holds no state"):
        mean_of(tmp_path)
    (tmp_path / STATE).write_bytes(b"no state")
    with pytest.raises(InputError, match="is no state"):
        mean_of(tmp_path)
    with pytest.raises(InputError, match="is no state"):
        Training(tmp_path, source_of(small), TOY)
    (tmp_path / "net.onnx").write_bytes(b"no network")
    with pytest.raises(InputError, match="cannot be trained on from"):
        weights_of(tmp_path / "net.onnx", DETECT)
