"""Where a grid lies in space. With ``core::grid::frame``, the only code that turns xyz into zyx."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave.errors import InputError


@dataclass(frozen=True)
class Frame:
    """An orthogonal grid in Cartesian space.

    Parameters
    ----------
    shape_zyx
        Number of voxels along z, y, x: the shape of the array.
    voxel_xyz
        Spacing along x, y, z in Å, positive.
    origin_xyz
        Position of the centre of voxel ``(0, 0, 0)`` in Å.

    Raises
    ------
    InputError
        If a spacing is not positive, a number is not finite or an axis has no voxel.
    """

    shape_zyx: tuple[int, int, int]
    voxel_xyz: tuple[float, float, float] = (1.0, 1.0, 1.0)
    origin_xyz: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape_zyx", tuple(int(n) for n in self.shape_zyx))
        object.__setattr__(self, "voxel_xyz", tuple(float(v) for v in self.voxel_xyz))
        object.__setattr__(self, "origin_xyz", tuple(float(v) for v in self.origin_xyz))
        if len(self.shape_zyx) != 3 or min(self.shape_zyx) < 1:
            raise InputError(f"a grid needs at least one voxel along each of three axes, not {self.shape_zyx}")
        if len(self.voxel_xyz) != 3 or not all(np.isfinite(v) and v > 0 for v in self.voxel_xyz):
            raise InputError(f"voxel spacing must be three positive numbers, not {self.voxel_xyz}")
        if len(self.origin_xyz) != 3 or not np.isfinite(self.origin_xyz).all():
            raise InputError(f"the origin must be three finite numbers, not {self.origin_xyz}")

    @property
    def extent_xyz(self) -> tuple[float, float, float]:
        """Size of the box in Å along x, y, z: voxels times spacing."""
        nz, ny, nx = self.shape_zyx
        return (nx * self.voxel_xyz[0], ny * self.voxel_xyz[1], nz * self.voxel_xyz[2])

    @property
    def voxel_volume(self) -> float:
        """Volume of one voxel in Å³."""
        return float(np.prod(self.voxel_xyz))

    def to_xyz(self, zyx: ArrayLike) -> NDArray[np.float64]:
        """Positions in Å, shape ``(n, 3)``, of voxel indices (fractions allowed), shape ``(n, 3)``."""
        indices = np.asarray(zyx, dtype=np.float64).reshape(-1, 3)
        return np.ascontiguousarray(indices[:, ::-1]) * self.voxel_xyz + self.origin_xyz

    def to_zyx(self, xyz: ArrayLike) -> NDArray[np.float64]:
        """Fractional voxel indices, shape ``(n, 3)``, of positions in Å, shape ``(n, 3)``."""
        positions = np.asarray(xyz, dtype=np.float64).reshape(-1, 3)
        return np.ascontiguousarray(((positions - self.origin_xyz) / self.voxel_xyz)[:, ::-1])

    def contains(self, xyz: ArrayLike) -> NDArray[np.bool_]:
        """Which positions lie between the centres of the first and the last voxel, shape ``(n,)``."""
        zyx = self.to_zyx(xyz)
        inside = (zyx >= 0) & (zyx <= np.array(self.shape_zyx) - 1)
        return np.asarray(inside.all(axis=1))

    def crop(self, first_zyx: tuple[int, int, int], shape_zyx: tuple[int, int, int]) -> "Frame":
        """The frame of the block that begins at voxel ``first_zyx``."""
        origin = self.to_xyz(first_zyx)[0]
        return Frame(shape_zyx, self.voxel_xyz, (origin[0], origin[1], origin[2]))

    def with_voxel(self, voxel: float) -> "Frame":
        """A grid of cubic voxels of this size (Å) with the same first voxel, covering the same voxel centres."""
        nz, ny, nx = (
            int(np.floor((n - 1) * spacing / voxel + 1e-6)) + 1
            for n, spacing in zip(self.shape_zyx, self.voxel_xyz[::-1], strict=True)
        )
        return Frame((nz, ny, nx), (voxel, voxel, voxel), self.origin_xyz)
