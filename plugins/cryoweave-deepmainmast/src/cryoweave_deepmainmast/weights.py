"""The published weights: where they lie, and what is wrong with them if so."""

from cryoweave.host import CheckResult, Context
from cryoweave.io.checkpoint import TorchNetwork, fill, found_file, missing_weights, read_checkpoint, require_torch
from cryoweave_deepmainmast.classes import AMINO_FILE, ATOM_FILE, METHOD
from cryoweave_deepmainmast.stages import MapsParams


def load(params: MapsParams, ctx: Context) -> tuple[TorchNetwork, TorchNetwork]:
    """The networks of atoms and of amino acids; they give probabilities.

    Raises
    ------
    InputError
        If a file is not there, or none of this network.
    PluginError
        If PyTorch is not installed.
    """
    paths = (
        found_file(params.atoms, METHOD, ATOM_FILE, "deepmainmast.maps.atoms"),
        found_file(params.amino, METHOD, AMINO_FILE, "deepmainmast.maps.amino"),
    )
    require_torch()
    from cryoweave_deepmainmast.network import amino, atoms, build_amino, build_atoms

    first, second = fill(build_atoms(), read_checkpoint(paths[0])), fill(build_amino(), read_checkpoint(paths[1]))
    return (
        TorchNetwork(first, atoms, threads=ctx.threads, device=ctx.device),
        TorchNetwork(second, amino, threads=ctx.threads, device=ctx.device),
    )


def check(params: MapsParams, **_inputs: object) -> None:
    """Whether the networks can be loaded, before a long run finds that they cannot."""
    load(params, Context())


def check_weights() -> CheckResult:
    """Whether PyTorch and the files are there, where nobody names others."""
    return CheckResult(*missing_weights(METHOD, ATOM_FILE, AMINO_FILE))
