"""The weights that come with the plugin, and those of a user's file."""

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoweave.errors import InputError, PluginError
from cryoweave.host import CheckResult, Context
from cryoweave.io.onnx import Network
from cryoweave_unet.classes import CHAIN, STRUCTURE
from cryoweave_unet.classes import OUTPUTS as DETECTED
from cryoweave_unet.graphs import DIRECTIONS, EDGE, NEIGHBOURS, NODE

INPUT = "density"
TABLE = "weights.json"
INPUTS: dict[str, dict[str, tuple[int | None, ...]]] = {
    "detect": {INPUT: (None, 1, None, None, None)},
    "chains": {INPUT: (None, 1, None, None, None)},
    "diffusion": {INPUT: (None, 3, None, None, None)},
    "refine": {
        "node": (None, NODE),
        "edge": (None, NEIGHBOURS, EDGE),
        "neighbour": (None, NEIGHBOURS),
        "step": (None, NEIGHBOURS + len(DIRECTIONS), 3),
    },
}
"""What a network of each task takes."""
OUTPUTS = {"detect": DETECTED, "chains": len(CHAIN) + len(STRUCTURE), "diffusion": 1}
"""Channels that the U-Nets give."""


@dataclass(frozen=True)
class Detector:
    """A network of one task's layout.

    Parameters
    ----------
    network
        The file.
    stride
        Edges of what it takes are multiples of this.
    name
        For records.
    outputs
        Channels that it gives.
    """

    network: Network
    stride: int
    name: str
    outputs: int

    def run(self, density: NDArray[np.float32], watch: Any) -> NDArray[np.float32]:
        """Channels ``(1, inputs, d, d, d)`` to logits ``(1, outputs, d, d, d)``."""
        (logits,) = self.network.run({INPUT: density}, watch)
        if logits.shape != (1, self.outputs, *density.shape[2:]):
            raise InputError(
                f"{self.name} gives an array of shape {logits.shape}", f"wanted {self.outputs} classes a voxel"
            )
        return logits


def load_detector(path: Path | None, ctx: Context, task: str = "detect") -> Detector:
    """The U-Net of a task, as :func:`load_network` loads it."""
    network, name = load_network(path, ctx, task)
    stride = network.about.get("stride", "")
    if not stride.isdecimal() or not 1 <= int(stride) <= 64:
        raise InputError(f"{name} does not say its stride", "give a file that `cryoweave detect export` made")
    return Detector(network, int(stride), name, OUTPUTS[task])


def load_network(path: Path | None, ctx: Context, task: str) -> tuple[Network, str]:
    """The network in a file, or the one for the task that comes with the plugin, and what to call it in records.

    Raises
    ------
    InputError
        If the file is no network of the task.
    PluginError
        If the plugin's own file is missing or not the one that was shipped, or ONNX Runtime is not installed.
    """
    if path is not None:
        path = path.expanduser()
        if not path.is_file():
            raise InputError(f"there is no file {path}", "check the path's spelling")
        network = _checked(Network(path, threads=ctx.threads, device=ctx.device), path.name, task)
        return network, _label(path.name, _digest(path))
    table = shipped()
    if task not in table:
        raise PluginError(
            f"cryoweave-unet comes with no weights for {task}", f"train some: `cryoweave detect train --task {task}`"
        )
    name, digest = table[task]
    with as_file(files("cryoweave_unet") / "data" / name) as own:
        problem = _problem(own, digest)
        if problem:
            raise PluginError(problem, "install cryoweave-unet again")
        return _checked(Network(own, threads=ctx.threads, device=ctx.device), name, task), _label(name, digest)


def shipped() -> dict[str, tuple[str, str]]:
    """File name and SHA-256 of the weights for each task that come with the plugin."""
    try:
        table = json.loads((files("cryoweave_unet") / "data" / TABLE).read_text("utf-8"))
        return {str(task): (one["file"], one["sha256"]) for task, one in table.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PluginError(f"the plugin's {TABLE} names no weights", "install cryoweave-unet again") from error


def check_weights() -> CheckResult:
    """Whether the plugin's own weights are there and whole, and can be run."""
    try:
        table = shipped()
    except PluginError as error:
        return CheckResult(False, str(error), error.hint)
    for name, digest in table.values():
        with as_file(files("cryoweave_unet") / "data" / name) as own:
            problem = _problem(own, digest)
        if problem:
            return CheckResult(False, problem, "install cryoweave-unet again")
    try:
        import onnxruntime
    except ImportError:
        return CheckResult(False, "ONNX Runtime is not installed", "pip install 'cryoweave[learned]'")
    return CheckResult(True, f"{', '.join(name for name, _ in table.values())}, ONNX Runtime {onnxruntime.__version__}")


def _label(name: str, digest: str) -> str:
    return f"{name} (SHA-256 {digest[:12]}…)"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _problem(path: Path, digest: str) -> str:
    if not path.is_file():
        return f"the weights {path.name} are missing"
    if _digest(path) != digest:
        return f"the weights {path.name} are not those that were shipped: their SHA-256 differs"
    return ""


def _checked(network: Network, name: str, task: str) -> Network:
    own = f"give a file that `cryoweave detect export` made of a training of {task}"
    wanted = INPUTS[task]
    found = network.inputs
    fit = set(found) == set(wanted) and all(
        len(found[one]) == len(shape) and all(b is None or a == b for a, b in zip(found[one], shape, strict=True))
        for one, shape in wanted.items()
    )
    if not fit:
        texts = (f"{one} ({', '.join(str(n or 'any') for n in shape)})" for one, shape in wanted.items())
        raise InputError(f"{name} takes {dict(found)}, wanted {', '.join(texts)}", own)
    if (other := network.about.get("task", task)) != task:
        raise InputError(f"{name} is a network of {other}", own)
    return network
