"""What every builder of complexes is given, checked."""

from cryoweave.data import DensityMap
from cryoweave.host.solver import require_solver
from cryoweave.kernels.fitted import resolution_of
from cryoweave.kernels.symmetry import Symmetry, symmetry_of
from cryoweave_assembly.stages import DemoParams, EMBuildParams, ExactParams


def check(params: ExactParams, density: DensityMap | None = None, **_inputs: object) -> None:
    """Whether the resolution is given, the symmetry exists and the solver is there."""
    resolution_of(params.resolution)
    if density is not None:
        symmetry_of(params.symmetry, density.frame)
    require_solver()


def check_builder(params: EMBuildParams | DemoParams, **_inputs: object) -> None:
    """Whether the resolution is given and the solver is there."""
    resolution_of(params.resolution)
    require_solver()


def orbits(copies: int, models: int, symmetry: Symmetry) -> int:
    """How many placements, each with its copies by symmetry, make so many copies of so many models of one sequence."""
    return max(1, -(-copies * models // len(symmetry)))
