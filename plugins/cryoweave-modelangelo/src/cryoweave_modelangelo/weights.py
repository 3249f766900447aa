"""The published weights: where they lie, and what is wrong with them if so."""

from argparse import Namespace

from cryoweave.errors import InputError
from cryoweave.host import CheckResult, Context
from cryoweave.io.checkpoint import TorchNetwork, fill, found_file, missing_weights, read_checkpoint, require_torch
from cryoweave_modelangelo.classes import BOX, FILE, LEAST_BOX, METHOD
from cryoweave_modelangelo.stages import MapsParams

HINT = "give c_alpha/chkpt.torch of the bundle `nucleotides`; that of another bundle has other parts"


def load(params: MapsParams, ctx: Context) -> tuple[TorchNetwork, int]:
    """The network, which gives probabilities, and the edge of its boxes in voxels.

    Raises
    ------
    InputError
        If the file is not there, or none of this network.
    PluginError
        If PyTorch is not installed.
    """
    path = found_file(params.network, METHOD, FILE, "modelangelo.maps.network")
    require_torch()
    from cryoweave_modelangelo.network import build, forward

    checkpoint = read_checkpoint(path, under="model", plain=(Namespace,))
    net = fill(build(), checkpoint, HINT)
    box = params.box or getattr(checkpoint.about.get("args"), "box_size", BOX)
    if not isinstance(box, int) or not LEAST_BOX <= box <= 256:
        raise InputError(f"{path} says that its boxes have {box!r} voxels", "give --set modelangelo.maps.box=64")
    return TorchNetwork(net, forward, threads=ctx.threads, device=ctx.device), box


def check(params: MapsParams, **_inputs: object) -> None:
    """Whether the network can be loaded, before a long run finds that it cannot."""
    load(params, Context())


def check_weights() -> CheckResult:
    """Whether PyTorch and the file are there, where nobody names another."""
    return CheckResult(*missing_weights(METHOD, FILE))
