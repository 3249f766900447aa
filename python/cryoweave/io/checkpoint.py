"""Published networks in checkpoint files, read as weights alone and run by PyTorch."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Event, local
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoweave.errors import InputError, PluginError

HOW_TO_GET = "pip install 'cryoweave[train]'"
PLACE = "CRYOWEAVE_WEIGHTS"
"""Environment variable that names the folder of published weights."""
POLL = 0.1
"""Seconds between looks at whether to stop, while the network runs."""
SHOWN = 3
"""Names that a message lists."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds.

    Parameters
    ----------
    path
        The file.
    weights
        Tensors by name, without the ``module.`` that training on several devices puts before each.
    about
        All else that lies beside them.
    """

    path: Path
    weights: Mapping[str, Any]
    about: Mapping[str, Any]


def weights_file(method: str, name: str) -> Path:
    """Where a method's published file lies if its user put it there; it need not be.

    ``$CRYOWEAVE_WEIGHTS/METHOD/NAME``, or without that variable ``~/.local/share/cryoweave/weights/METHOD/NAME``.
    """
    share = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    place = os.environ.get(PLACE)
    return (Path(place).expanduser() if place else share / "cryoweave" / "weights") / method / name


def found_file(given: Path | None, method: str, name: str, param: str) -> Path:
    """The file that a parameter names, else the one in the folder of weights.

    Raises
    ------
    InputError
        If it is not there; the hint says where it may lie.
    """
    if given is not None:
        path = given.expanduser()
        if not path.is_file():
            raise InputError(f"there is no file {path}", "check the path's spelling; a folder is no file")
        return path
    path = weights_file(method, name)
    if not path.is_file():
        raise InputError(
            f"the published weights {name} are not there",
            f"put the file at {path}, or give --set {param}=FILE; cryoweave does not bring it",
        )
    return path


def missing_weights(method: str, *names: str) -> tuple[bool, str, str]:
    """Whether PyTorch and a method's files are there, in a line, and what to do if not: for a plugin's check."""
    problems, hints, version = [], [], ""
    missing = [name for name in names if not weights_file(method, name).is_file()]
    if missing:
        problems.append(f"missing: the published {' and '.join(missing)}")
        hints.append(f"put what is missing into {weights_file(method, missing[0]).parent}")
    try:
        version = require_torch().__version__
    except PluginError as error:
        problems.append(str(error))
        hints.append(error.hint)
    if problems:
        return False, "; ".join(problems), "; ".join(hints)
    return True, f"{', '.join(names)}, PyTorch {version}", ""


def require_torch() -> Any:
    """PyTorch.

    Raises
    ------
    PluginError
        If it is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise PluginError("published weights need PyTorch, which is not installed", HOW_TO_GET) from error
    return torch


def read_checkpoint(path: Path, *, under: str = "state_dict", plain: tuple[type, ...] = ()) -> Checkpoint:
    """Read a checkpoint; nothing in it is executed.

    Parameters
    ----------
    path
        File of ``torch.save``: the weights, or a table that holds them.
    under
        Entry of the table that holds the weights.
    plain
        Types besides tensors and Python's own that may stand beside the weights, e.g. ``argparse.Namespace``.

    Raises
    ------
    InputError
        If the file is none, is cut short, holds code, or no weights.
    PluginError
        If PyTorch is not installed.
    """
    torch = require_torch()
    hint = "give the published file, whole"
    try:
        with torch.serialization.safe_globals(list(plain)) if plain else nullcontext():  # torch 2.4 has it not yet
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch tells a damaged file by many kinds of errors
        first = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise InputError(f"{path} is no checkpoint of weights alone: {first}", hint) from error
    weights = found.get(under, found) if isinstance(found, dict) else None
    if not isinstance(weights, dict) or not weights or not all(isinstance(v, torch.Tensor) for v in weights.values()):
        raise InputError(f"{path} holds no {under}", hint)
    about = {} if weights is found else {name: value for name, value in found.items() if name != under}
    return Checkpoint(path, {str(name).removeprefix("module."): value for name, value in weights.items()}, about)


def fill(net: Any, checkpoint: Checkpoint, hint: str = "give the published file") -> Any:
    """The network with the checkpoint's weights, ready to predict.

    Raises
    ------
    InputError
        If a name or shape differs, or a weight is not finite.
    """
    wanted, given = net.state_dict(), checkpoint.weights
    lacks, more = [n for n in wanted if n not in given], [n for n in given if n not in wanted]
    others = [
        f"{name} is {tuple(given[name].shape)}, wanted {tuple(wanted[name].shape)}"
        for name in wanted
        if name in given and given[name].shape != wanted[name].shape
    ]
    reasons = [_some("it lacks", lacks), _some("it has besides", more), _some("", others)]
    if any(reasons):
        raise InputError(f"{checkpoint.path} has another layout: {'; '.join(filter(None, reasons))}", hint)
    wrong = [name for name, value in given.items() if value.is_floating_point() and not value.isfinite().all()]
    if wrong:
        raise InputError(f"{checkpoint.path} holds weights that are not finite: {wrong[0]}", "copy the file again")
    net.load_state_dict(dict(given), strict=True)
    net.eval()
    return net


def _some(what: str, names: list[str]) -> str:
    if not names:
        return ""
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{what} {', '.join(names[:SHOWN])}{rest}".strip()


class TorchNetwork:
    """A network on a device, from arrays to arrays.

    On a CPU each box has a thread of its own: PyTorch's sums within a layer depend on the number of threads.

    Parameters
    ----------
    net
        The network, filled.
    forward
        Called with the network and a tensor, gives a tensor.
    threads
        Threads of the CPU that it may use.
    device
        ``cpu``, or the number of an accelerator, which is used if PyTorch sees it.

    Attributes
    ----------
    runs_on
        What it runs on, as PyTorch calls it.
    lanes
        Boxes that it works on side by side; a smaller batch leaves threads idle.
    """

    def __init__(self, net: Any, forward: Callable[[Any, Any], Any], *, threads: int, device: str = "cpu") -> None:
        self._torch = require_torch()
        usable = device != "cpu" and self._torch.cuda.is_available()
        self.runs_on = f"cuda:{device}" if usable else "cpu"
        self.lanes = 1 if usable else threads
        self._net, self._forward, self._here = net.to(self.runs_on), forward, local()
        for module in self._net.modules():
            module.register_forward_pre_hook(self._look)

    def run(self, boxes: NDArray[np.float32], watch: Callable[[], object] | None = None) -> NDArray[np.float32]:
        """The network's output for a batch.

        Parameters
        ----------
        boxes
            Float32, the first axis is the batch's.
        watch
            Called every tenth of a second; what it raises comes out at once, and the network ends after the layer that
            it is in.
        """
        parts = [boxes] if self.runs_on != "cpu" else np.split(boxes, len(boxes))
        stop = Event()
        pool = ThreadPoolExecutor(self.lanes)
        try:
            futures = [pool.submit(self._work, part, stop) for part in parts]
            while wait(futures, POLL).not_done:
                if watch is not None:
                    watch()
            return np.concatenate([future.result() for future in futures])
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def _look(self, *_inputs: object) -> None:
        """Before each layer."""
        if self._here.stop.is_set():
            raise InterruptedError("the network was stopped")

    def _work(self, boxes: NDArray[np.float32], stop: Event) -> NDArray[np.float32]:
        self._here.stop = stop
        self._torch.set_num_threads(1)
        with self._torch.inference_mode():
            tensor = self._torch.from_numpy(np.ascontiguousarray(boxes)).to(self.runs_on)
            values: NDArray[np.float32] = self._forward(self._net, tensor).float().cpu().numpy()
        return values
