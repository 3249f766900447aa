"""Networks as functions from boxes to probabilities."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoweave.errors import InputError, PluginError
from cryoweave.io.onnx import Network
from cryoweave_daq.classes import BOX, HEADS, SPLITS

Boxes = NDArray[np.float32]
Predictor = Callable[[Boxes], NDArray[np.float32]]
"""Boxes ``(n, 1, 11, 11, 11)`` to probabilities ``(n, 29)``."""


def load_predictor(path: Path, threads: int) -> Predictor:
    """The network in a file, to be run on the CPU with so many threads.

    Raises
    ------
    InputError
        If the file holds no such network.
    PluginError
        If the package that runs it is not installed.
    """
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        return _onnx(path, threads)
    if suffix in (".pth", ".pt"):
        return _torch(path, threads)
    raise InputError(f"{path} is no network: its name ends in {suffix!r}", "give a file .onnx, .pth or .pt")


def _onnx(path: Path, threads: int) -> Predictor:
    network = Network(path, threads=threads)
    (name, shape), *others = network.inputs.items()
    fixed = [n for n in shape[1:] if isinstance(n, int)]
    if others or len(shape) != 5 or not set(fixed) <= {1, BOX}:
        raise InputError(f"{path} takes an input of shape {shape}, wanted one of (n, 1, {BOX}, {BOX}, {BOX})")
    step = shape[0] if isinstance(shape[0], int) else 0

    def predict(boxes: Boxes) -> NDArray[np.float32]:
        parts = [boxes[i : i + step] for i in range(0, len(boxes), step)] if step else [boxes]
        parts = [np.pad(part, [(0, max(step - len(part), 0)), *[(0, 0)] * 4]) for part in parts]
        outputs = [joined(path, network.run({name: part})) for part in parts]
        return probabilities(np.concatenate(outputs)[: len(boxes)])

    return predict


def _torch(path: Path, threads: int) -> Predictor:
    try:
        import torch
    except ImportError as error:
        raise PluginError(
            f"{path} needs PyTorch, which is not installed",
            "pip install 'cryoweave-daq[train]'",
        ) from error
    from cryoweave_daq.network import forward, load_checkpoint

    net = load_checkpoint(path)

    def predict(boxes: Boxes) -> NDArray[np.float32]:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            return probabilities(forward(net, torch.from_numpy(boxes)).numpy())

    return predict


def joined(path: Path, outputs: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The three heads side by side, whatever their order."""
    by_width = {output.shape[1]: output for output in outputs if output.ndim == 2}
    if len(outputs) == 1 and sum(HEADS) in by_width:
        return by_width[sum(HEADS)]
    if sorted(by_width) != sorted(HEADS) or len(outputs) != len(HEADS):
        raise InputError(
            f"{path} gives arrays of shape {[output.shape for output in outputs]}",
            f"its outputs must be the logits of {', '.join(map(str, HEADS))} classes",
        )
    return np.concatenate([by_width[width] for width in HEADS], axis=1)


def probabilities(outputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Softmax over each head; heads that hold probabilities already stay as they are."""
    heads = []
    for head in np.split(np.asarray(outputs, np.float64), SPLITS, axis=1):
        if (head < 0).any() or (np.abs(head.sum(axis=1) - 1) > 1e-3).any():
            head = np.exp(head - head.max(axis=1, keepdims=True))
            head /= head.sum(axis=1, keepdims=True)
        heads.append(head)
    return np.concatenate(heads, axis=1).astype(np.float32)
