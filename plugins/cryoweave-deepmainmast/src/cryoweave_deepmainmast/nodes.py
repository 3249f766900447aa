"""Cα candidates as the published program finds them in probability maps."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import PointCloud, ProbabilityMaps
from cryoweave.errors import InputError, StageError
from cryoweave.host import Context
from cryoweave.kernels.grid import interpolate
from cryoweave.kernels.peaks import mean_shift, merge_points
from cryoweave_deepmainmast.classes import AMINO
from cryoweave_deepmainmast.stages import NodesParams

MAIN_CHAIN = ("N", "CA", "C")


def nodes(maps: ProbabilityMaps, params: NodesParams, ctx: Context) -> PointCloud:
    """Ends of the mean shift that lie on the main chain; weight: probability of Cα gathered there, 0..1 over all."""
    missing = [name for name in (*MAIN_CHAIN, *AMINO) if name not in maps.classes]
    if missing:
        raise InputError(f"the maps have no class {', '.join(missing)}", "make them with a detector that knows all")
    own = maps.of("CA")
    voxel_zyx = np.array(own.frame.voxel_xyz[::-1])
    started, ended, theta = mean_shift(
        own.values,
        params.threshold,
        tuple(params.bandwidth / voxel_zyx),
        tuple(params.allow / voxel_zyx),
        progress=ctx.progress,
    )
    if not len(started):
        raise StageError(
            f"no voxel is a Cα with a probability above {params.threshold:g}; the highest is {own.values.max():.3g}",
            "lower the threshold; is it a map at 5 Å or better? `cryoweave check` says",
        )
    scaled = (theta - theta.min()) / max(float(np.ptp(theta)), 1e-12)
    kept = np.flatnonzero(scaled >= params.filter)
    xyz = own.frame.to_xyz(ended[kept])
    survivors, _ = merge_points(xyz, scaled[kept], params.merge)
    xyz, weight = xyz[survivors], scaled[kept][survivors]
    on_chain = np.sum([at(maps, name, xyz) for name in MAIN_CHAIN], axis=0) >= params.main_chain
    if not on_chain.any():
        raise StageError("no Cα candidate lies on the main chain", "lower `main_chain`, or look at the maps")
    xyz, weight = xyz[on_chain], weight[on_chain]
    amino = np.stack([at(maps, name, xyz) for name in AMINO], axis=1)
    ctx.note("points", len(xyz))
    ctx.note("points off the main chain", int((~on_chain).sum()))
    return PointCloud(xyz, weight.astype(np.float32), probabilities=amino, classes=AMINO)


def at(maps: ProbabilityMaps, name: str, xyz: NDArray[np.float64]) -> NDArray[np.float32]:
    """One class's probability at places, 0..1."""
    one = maps.of(name)
    return np.clip(interpolate(one.values, one.frame, xyz), 0, 1).astype(np.float32)
