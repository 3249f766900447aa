"""Networks: ONNX files and checkpoints; each test needs its package."""

import sys

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.errors import InputError, PluginError, StageError
from cryoweave_daq.classes import BOX, HEADS, SPLITS
from cryoweave_daq.predictors import joined, load_predictor, probabilities

BOXES = np.random.default_rng(1).random((10, 1, BOX, BOX, BOX)).astype(np.float32)


def softmax(values):
    values = np.exp(values - values.max(axis=1, keepdims=True))
    return values / values.sum(axis=1, keepdims=True)


def make_onnx(path, weights, *, batch="n", box=BOX, scale=1.0):
    """Flatten, then a matrix a head."""
    onnx = pytest.importorskip("onnx", reason="needs onnx to make a small network")
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime to run it")
    from onnx import TensorProto, helper, numpy_helper

    nodes = [helper.make_node("Flatten", ["boxes"], ["flat"], axis=1)]
    nodes += [helper.make_node("MatMul", ["flat", f"w{i}"], [f"head{i}"]) for i in range(len(weights))]
    values = [numpy_helper.from_array((scale * w).astype(np.float32), f"w{i}") for i, w in enumerate(weights)]
    inputs = [helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [batch, 1, box, box, box])]
    outputs = [
        helper.make_tensor_value_info(f"head{i}", TensorProto.FLOAT, [batch, w.shape[1]]) for i, w in enumerate(weights)
    ]
    graph = helper.make_graph(nodes, "small", inputs, outputs, values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


def weights_of(widths, box=BOX):
    rng = np.random.default_rng(2)
    return [rng.normal(0, 0.05, (box**3, width)) for width in widths]


def test_onnx_gives_probabilities(tmp_path):
    weights = weights_of(HEADS)
    found = load_predictor(make_onnx(tmp_path / "net.onnx", weights), 1)(BOXES)
    expected = np.concatenate([softmax(BOXES.reshape(10, -1) @ w) for w in weights], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_onnx_heads_in_any_order_in_one_piece_or_of_fixed_batch(tmp_path):
    weights = weights_of(HEADS)
    expected = load_predictor(make_onnx(tmp_path / "a.onnx", weights), 1)(BOXES)
    ways = {
        "order": make_onnx(tmp_path / "b.onnx", weights[::-1]),
        "one": make_onnx(tmp_path / "c.onnx", [np.concatenate(weights, axis=1)]),
        "fixed": make_onnx(tmp_path / "d.onnx", weights, batch=4),
    }
    for name, path in ways.items():
        np.testing.assert_allclose(load_predictor(path, 1)(BOXES), expected, atol=1e-5, err_msg=name)


def test_onnx_files_that_do_not_fit(tmp_path):
    for name, path in {
        "heads": make_onnx(tmp_path / "a.onnx", weights_of((20, 6))),
        "box": make_onnx(tmp_path / "b.onnx", weights_of(HEADS, 9), box=9),
    }.items():
        with pytest.raises(InputError, match=r"gives arrays|wanted one of") as error:
            load_predictor(path, 1)(BOXES)
        assert str(path) in str(error.value), name
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    with pytest.raises(InputError, match="is no ONNX network, or damaged"):
        load_predictor(broken, 1)


def test_onnx_through_the_stages(tmp_path, small):
    path = make_onnx(tmp_path / "net.onnx", weights_of(HEADS))
    params = {"network": str(path)}
    cloud = run_stage("daq.predict", density=small.density, model=small.model, params=params)
    assert len(cloud) > 100
    for head in np.split(cloud.probabilities, SPLITS, axis=1):
        np.testing.assert_allclose(head.sum(axis=1), 1, atol=1e-5)
    table = run_stage("daq.score", model=small.model, density=small.density, params={**params, "batch": 100})
    assert np.isfinite(table.residues["daq_aa"]).all()
    other = run_stage("daq.predict", density=small.density, model=small.model, params={**params, "axis_order": "xyz"})
    np.testing.assert_array_equal(cloud.xyz, other.xyz)
    assert np.abs(cloud.probabilities - other.probabilities).max() > 1e-3


def test_a_network_that_gives_nonsense(tmp_path, small):
    path = make_onnx(tmp_path / "net.onnx", weights_of(HEADS), scale=np.inf)
    with pytest.raises(StageError, match="not finite"):
        run_stage("daq.predict", density=small.density, model=small.model, params={"network": str(path)})


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [("a.onnx", "onnxruntime", "cryoweave[learned]"), ("a.pth", "torch", "cryoweave-daq[train]")],
)
def test_what_is_missing_is_said(tmp_path, monkeypatch, name, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / name).write_bytes(b"any")
    with pytest.raises(PluginError, match="not installed") as error:
        load_predictor(tmp_path / name, 1)
    assert f"pip install '{extra}'" in error.value.hint


def test_a_file_of_another_kind(tmp_path):
    (tmp_path / "net.h5").write_bytes(b"any")
    with pytest.raises(InputError, match="is no network"):
        load_predictor(tmp_path / "net.h5", 1)


def test_heads_that_are_probabilities_stay():
    given = np.concatenate([np.full((2, n), 1 / n) for n in HEADS], axis=1)
    given[0, :2] = (0.09, 0.01)
    np.testing.assert_allclose(probabilities(given), given, atol=1e-6)
    logits = np.log(given) + 3
    np.testing.assert_allclose(probabilities(logits), given, atol=1e-6)


def test_outputs_that_are_no_heads(tmp_path):
    with pytest.raises(InputError, match="gives arrays of shape"):
        joined(tmp_path, [np.zeros((2, 20)), np.zeros((2, 20)), np.zeros((2, 6))])


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="needs PyTorch")


def test_the_published_number_of_parameters(torch):
    from cryoweave_daq.network import PARAMETERS, build, forward

    net = build()
    assert sum(p.numel() for p in net.parameters()) == PARAMETERS == 9_791_325
    shapes = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    assert shapes["conv1.weight"] == (64, 1, 3, 3, 3)
    assert shapes["layer1.0.downsample.0.weight"] == (256, 64, 1, 1, 1)
    assert shapes["layer2.1.conv2.weight"] == (256, 8, 3, 3, 3)
    assert shapes["layer4.0.bn3.running_mean"] == (2048,)
    assert shapes["fc3.bias"] == (3,)
    assert "layer2.1.downsample.0.weight" not in shapes
    net.eval()
    with torch.inference_mode():
        assert forward(net, torch.from_numpy(BOXES[:2])).shape == (2, 29)


def test_a_checkpoint_as_published(torch, tmp_path, small):
    from cryoweave_daq.network import build, forward

    torch.manual_seed(0)
    net = build()
    weights = {f"module.{name}": value for name, value in net.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": weights}, tmp_path / "net.pth")
    net.eval()
    with torch.inference_mode():
        expected = probabilities(forward(net, torch.from_numpy(BOXES)).numpy())
    np.testing.assert_allclose(load_predictor(tmp_path / "net.pth", 1)(BOXES), expected, atol=1e-6)
    params = {"network": str(tmp_path / "net.pth"), "stride": 4}
    table = run_stage("daq.score", model=small.model, density=small.density, params=params)
    assert np.isfinite(table.residues["daq_ca"]).any()


def test_checkpoints_that_do_not_fit(torch, tmp_path):
    from cryoweave_daq.network import build

    path = tmp_path / "net.pth"
    weights = build().state_dict()
    missing = {name: value for name, value in weights.items() if name != "fc2.bias"}
    wrong_shape = {**weights, "fc2.bias": torch.zeros(7)}
    more = {**weights, "fc4.bias": torch.zeros(7)}
    for value, message in (
        ({"state_dict": missing}, "another layout.*fc2.bias"),
        (wrong_shape, "another layout.*fc2.bias"),
        (more, "another layout.*fc4.bias"),
        ({"state_dict": 3}, "no state_dict"),
        ([1, 2], "no state_dict"),
    ):
        torch.save(value, path)
        with pytest.raises(InputError, match=message):
            load_predictor(path, 1)
    torch.save({"state_dict": weights, "code": InputError("x")}, path)
    with pytest.raises(InputError, match="weights alone"):
        load_predictor(path, 1)
    path.write_bytes(b"no checkpoint")
    with pytest.raises(InputError, match="no checkpoint"):
        load_predictor(path, 1)
