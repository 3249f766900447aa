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
from cryoweave_unet.classes import OUTPUTS

INPUT = "density"
TABLE = "weights.json"


@dataclass(frozen=True)
class Detector:
    """A network of this layout.

    Parameters
    ----------
    network
        The file.
    stride
        Edges of what it takes are multiples of this.
    name
        For records.
    """

    network: Network
    stride: int
    name: str

    def run(self, density: NDArray[np.float32], watch: Any) -> NDArray[np.float32]:
        """Density ``(1, 1, d, d, d)`` to logits ``(1, 34, d, d, d)``."""
        (logits,) = self.network.run({INPUT: density}, watch)
        if logits.shape != (1, OUTPUTS, *density.shape[2:]):
            raise InputError(f"{self.name} gives an array of shape {logits.shape}", f"wanted {OUTPUTS} classes a voxel")
        return logits


def load_detector(path: Path | None, ctx: Context) -> Detector:
    """The network in a file, or the one that comes with the plugin.

    Raises
    ------
    InputError
        If the file is no such network.
    PluginError
        If the plugin's own file is missing or not the one that was shipped, or ONNX Runtime is not installed.
    """
    if path is not None:
        path = path.expanduser()
        if not path.is_file():
            raise InputError(f"there is no file {path}", "check the path's spelling")
        return _checked(Network(path, threads=ctx.threads, device=ctx.device), path.name)
    name, digest = shipped()
    with as_file(files("cryoweave_unet") / "data" / name) as own:
        problem = _problem(own, digest)
        if problem:
            raise PluginError(problem, "install cryoweave-unet again")
        return _checked(Network(own, threads=ctx.threads, device=ctx.device), name)


def shipped() -> tuple[str, str]:
    """File name and SHA-256 of the weights that come with the plugin."""
    try:
        table = json.loads((files("cryoweave_unet") / "data" / TABLE).read_text("utf-8"))
        return table["file"], table["sha256"]
    except (OSError, ValueError, KeyError) as error:
        raise PluginError(f"the plugin's {TABLE} names no weights", "install cryoweave-unet again") from error


def check_weights() -> CheckResult:
    """Whether the plugin's own weights are there and whole, and can be run."""
    try:
        name, digest = shipped()
    except PluginError as error:
        return CheckResult(False, str(error), error.hint)
    with as_file(files("cryoweave_unet") / "data" / name) as own:
        problem = _problem(own, digest)
    if problem:
        return CheckResult(False, problem, "install cryoweave-unet again")
    try:
        import onnxruntime
    except ImportError:
        return CheckResult(False, "ONNX Runtime is not installed", "pip install 'cryoweave[learned]'")
    return CheckResult(True, f"{name}, ONNX Runtime {onnxruntime.__version__}")


def _problem(path: Path, digest: str) -> str:
    if not path.is_file():
        return f"the weights {path.name} are missing"
    if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        return f"the weights {path.name} are not those that were shipped: their SHA-256 differs"
    return ""


def _checked(network: Network, name: str) -> Detector:
    shape = network.inputs.get(INPUT)
    if set(network.inputs) != {INPUT} or shape is None or len(shape) != 5 or shape[1] != 1:
        raise InputError(
            f"{name} takes {dict(network.inputs)}, wanted {INPUT} (n, 1, z, y, x)",
            "give a file that `cryoweave detect export` made",
        )
    stride = network.about.get("stride", "")
    if not stride.isdecimal() or not 1 <= int(stride) <= 64:
        raise InputError(f"{name} does not say its stride", "give a file that `cryoweave detect export` made")
    return Detector(network, int(stride), name)
