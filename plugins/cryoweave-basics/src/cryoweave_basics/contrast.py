"""A map that is the same everywhere shows nothing."""

from cryoweave.data import DensityMap
from cryoweave.errors import StageError


def require_contrast(density: DensityMap) -> None:
    """Raise StageError if all voxels are alike."""
    lowest = float(density.values.min())
    if lowest == float(density.values.max()):
        raise StageError(
            f"the map has the same density everywhere: {lowest:g}",
            "it is empty or masked away; `cryoweave map info` describes the file, `cryoweave check` finds more",
        )
