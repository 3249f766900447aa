"""The published weights: where they lie, and what is wrong with them if so."""

from cryoweave.host import CheckResult, Context
from cryoweave.io.checkpoint import TorchNetwork, fill, found_file, missing_weights, read_checkpoint, require_torch
from cryoweave_cryoread.classes import FIRST_FILE, METHOD, SECOND_FILE
from cryoweave_cryoread.stages import MapsParams


def load(params: MapsParams, ctx: Context) -> tuple[TorchNetwork, TorchNetwork]:
    """The first and the second network; they give probabilities.

    Raises
    ------
    InputError
        If a file is not there, or none of this network.
    PluginError
        If PyTorch is not installed.
    """
    paths = (
        found_file(params.first, METHOD, FIRST_FILE, "cryoread.maps.first"),
        found_file(params.second, METHOD, SECOND_FILE, "cryoread.maps.second"),
    )
    require_torch()
    from cryoweave_cryoread.network import build_first, build_second, first, second

    one, other = fill(build_first(), read_checkpoint(paths[0])), fill(build_second(), read_checkpoint(paths[1]))
    return (
        TorchNetwork(one, first, threads=ctx.threads, device=ctx.device),
        TorchNetwork(other, second, threads=ctx.threads, device=ctx.device),
    )


def check(params: MapsParams, **_inputs: object) -> None:
    """Whether the networks can be loaded, before a long run finds that they cannot."""
    load(params, Context())


def check_weights() -> CheckResult:
    """Whether PyTorch and the files are there, where nobody names others."""
    return CheckResult(*missing_weights(METHOD, FIRST_FILE, SECOND_FILE))
