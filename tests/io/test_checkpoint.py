"""Checkpoints: sound, of another layout, hostile."""

import argparse
import sys
import threading

import numpy as np
import pytest

from cryoweave.errors import InputError, PluginError
from cryoweave.io.checkpoint import TorchNetwork, fill, found_file, read_checkpoint, weights_file


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="needs PyTorch")


def small(torch):
    return torch.nn.ModuleDict({"a": torch.nn.Linear(3, 2), "b": torch.nn.BatchNorm1d(2)})


def saved(torch, path, **entries):
    weights = {f"module.{name}": value for name, value in small(torch).state_dict().items()}
    torch.save({"state_dict": weights, "epoch": 3, **entries}, path)
    return weights


def test_weights_come_without_module_and_with_what_lies_beside(torch, tmp_path):
    weights = saved(torch, tmp_path / "a.pth")
    found = read_checkpoint(tmp_path / "a.pth")
    assert found.about == {"epoch": 3}
    assert set(found.weights) == {name.removeprefix("module.") for name in weights}
    net = fill(small(torch), found)
    assert not net.training
    np.testing.assert_array_equal(net["a"].weight.detach(), weights["module.a.weight"])


def test_weights_alone_and_under_another_name(torch, tmp_path):
    torch.save(small(torch).state_dict(), tmp_path / "a.pth")
    assert read_checkpoint(tmp_path / "a.pth").about == {}
    torch.save({"model": small(torch).state_dict()}, tmp_path / "b.pth")
    assert "a.weight" in read_checkpoint(tmp_path / "b.pth", under="model").weights
    with pytest.raises(InputError, match="holds no state_dict"):
        read_checkpoint(tmp_path / "b.pth")


def test_plain_types_must_be_named(torch, tmp_path):
    saved(torch, tmp_path / "a.pth", args=argparse.Namespace(box_size=64))
    with pytest.raises(InputError, match="weights alone"):
        read_checkpoint(tmp_path / "a.pth")
    assert read_checkpoint(tmp_path / "a.pth", plain=(argparse.Namespace,)).about["args"].box_size == 64


def test_other_layouts_are_told(torch, tmp_path):
    weights = small(torch).state_dict()
    cases = {
        "it lacks b.bias": {name: value for name, value in weights.items() if name != "b.bias"},
        "it has besides c": {**weights, "c": torch.zeros(1)},
        r"a.bias is \(7,\), wanted \(2,\)": {**weights, "a.bias": torch.zeros(7)},
        "not finite: a.bias": {**weights, "a.bias": torch.full((2,), np.nan)},
        "and 1 more": {**weights, **{name: torch.zeros(1) for name in "wxyz"}},
    }
    for message, value in cases.items():
        torch.save(value, tmp_path / "a.pth")
        with pytest.raises(InputError, match=message) as error:
            fill(small(torch), read_checkpoint(tmp_path / "a.pth"), "the hint")
        assert str(tmp_path / "a.pth") in str(error.value)


class Evil:
    """Unpickled, it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_code_in_a_file_is_not_run(torch, tmp_path):
    saved(torch, tmp_path / "a.pth", more=Evil(tmp_path / "made"))
    with pytest.raises(InputError, match="weights alone"):
        read_checkpoint(tmp_path / "a.pth")
    assert not (tmp_path / "made").exists()


def test_damaged_files_are_told(torch, tmp_path):
    path = tmp_path / "a.pth"
    saved(torch, path)
    content = path.read_bytes()
    for broken in (content[: len(content) // 2], b"", b"no checkpoint", b"cos\nsystem\n(S'true'\ntR."):
        path.write_bytes(broken)
        with pytest.raises(InputError, match="no checkpoint of weights alone"):
            read_checkpoint(path)
    for value in ([1, 2], {"state_dict": 3}, {"state_dict": {}}, {"state_dict": {"a": 1}}):
        torch.save(value, path)
        with pytest.raises(InputError, match="holds no state_dict"):
            read_checkpoint(path)


def test_without_pytorch_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(PluginError, match="not installed") as error:
        read_checkpoint(tmp_path / "a.pth")
    assert "cryoweave[train]" in error.value.hint


def test_where_files_lie(tmp_path, monkeypatch):
    monkeypatch.setenv("CRYOWEAVE_WEIGHTS", str(tmp_path))
    assert weights_file("m", "net.pth") == tmp_path / "m" / "net.pth"
    with pytest.raises(InputError, match=r"net\.pth are not there") as error:
        found_file(None, "m", "net.pth", "m.maps.network")
    assert str(tmp_path / "m" / "net.pth") in error.value.hint
    assert "--set m.maps.network=FILE" in error.value.hint
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "net.pth").write_bytes(b"")
    assert found_file(None, "m", "net.pth", "") == tmp_path / "m" / "net.pth"
    with pytest.raises(InputError, match="no file"):
        found_file(tmp_path, "m", "net.pth", "")
    monkeypatch.delenv("CRYOWEAVE_WEIGHTS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert weights_file("m", "n") == tmp_path / "cryoweave" / "weights" / "m" / "n"


def test_a_network_runs_and_is_stopped(torch):
    net = TorchNetwork(small(torch).eval(), lambda net, x: net["a"](x), threads=1)
    boxes = np.ones((4, 3), np.float32)
    expected = boxes @ net._net["a"].weight.detach().numpy().T + net._net["a"].bias.detach().numpy()
    np.testing.assert_allclose(net.run(boxes), expected, atol=1e-6)
    assert net.runs_on == "cpu"

    def stop():
        raise KeyboardInterrupt

    deep = torch.nn.Sequential(*(torch.nn.Linear(1500, 1500) for _ in range(400)))
    slow = TorchNetwork(deep.eval(), lambda net, x: net(x), threads=1)
    with pytest.raises(KeyboardInterrupt):
        slow.run(np.ones((500, 1500), np.float32), stop)
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(5)
            assert not thread.is_alive(), "the network goes on after it was stopped"
    with pytest.raises(RuntimeError, match="shapes"):
        net.run(np.ones((4, 5), np.float32))
