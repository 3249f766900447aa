"""Maps from maps."""

import numpy as np

from cryoweave.data import DensityMap, Frame, ProbabilityMaps
from cryoweave.errors import StageError
from cryoweave.host import Context, NoParams
from cryoweave.kernels.grid import gaussian, resample, upsample2
from cryoweave.kernels.simulate import coloured_noise
from cryoweave_basics.stages import BlurParams, CropParams, OfClassParams, ResampleParams, SolventParams, UpsampleParams

BULK_B = 2000.0
"""B factor (Å²) of the slow solvent waves: features smaller than about 15 Å are gone."""


def resampled(density: DensityMap, params: ResampleParams, ctx: Context) -> DensityMap:
    """The map on cubic voxels, first voxel unmoved."""
    frame = density.frame.with_voxel(params.voxel)
    return DensityMap(resample(density.values, density.frame, frame, params.order), frame)


def upsampled(density: DensityMap, params: UpsampleParams, ctx: Context) -> DensityMap:
    """The map with half the spacing if its voxels are coarse, else the map itself."""
    frame = density.frame
    if max(frame.voxel_xyz) <= params.coarser_than:
        ctx.note("sampling", "kept")
        return density
    values = upsample2(density.values)
    x, y, z = (spacing / 2 for spacing in frame.voxel_xyz)
    ctx.note("sampling", "doubled")
    return DensityMap(values, Frame(values.shape, (x, y, z), frame.origin_xyz))


def cropped(density: DensityMap, params: CropParams, ctx: Context) -> DensityMap:
    """The block that holds all density above the threshold, and a margin."""
    above = density.values > params.threshold
    if not above.any():
        raise StageError(
            f"no voxel lies above the threshold {params.threshold:g}; the map's maximum is {density.values.max():g}",
            "lower the threshold",
        )
    margin = np.ceil(params.margin / np.array(density.frame.voxel_xyz[::-1])).astype(int)
    first, last = [], []
    for axis in range(3):
        occupied = np.flatnonzero(above.any(axis=tuple(a for a in range(3) if a != axis)))
        first.append(max(0, int(occupied[0] - margin[axis])))
        last.append(min(above.shape[axis], int(occupied[-1] + margin[axis]) + 1))
    shape = (last[0] - first[0], last[1] - first[1], last[2] - first[2])
    block = density.values[first[0] : last[0], first[1] : last[1], first[2] : last[2]]
    return DensityMap(block, density.frame.crop((first[0], first[1], first[2]), shape))


def blurred(density: DensityMap, params: BlurParams, ctx: Context) -> DensityMap:
    """The map behind a Gaussian filter."""
    x, y, z = (params.sigma / spacing for spacing in density.frame.voxel_xyz)
    return DensityMap(gaussian(density.values, (z, y, x)), density.frame)


def flipped(density: DensityMap, params: NoParams, ctx: Context) -> DensityMap:
    """The mirror image, x reversed, in the same box."""
    return DensityMap(density.values[:, :, ::-1], density.frame)


def of_class(maps: ProbabilityMaps, params: OfClassParams, ctx: Context) -> DensityMap:
    """The probability of one class as a density."""
    return maps.of(params.class_name)


def with_solvent(density: DensityMap, params: SolventParams, ctx: Context) -> DensityMap:
    """The map in a larger box full of noise and slow waves, as if nobody had masked it."""
    pad = [int(np.ceil(params.margin / spacing)) for spacing in density.frame.voxel_xyz[::-1]]
    values = np.pad(density.values, [(n, n) for n in pad])
    origin = density.frame.to_xyz([-n for n in pad])[0]
    frame = Frame(values.shape, density.frame.voxel_xyz, (origin[0], origin[1], origin[2]))
    positive = density.values[density.values > 0]
    if not positive.size:
        raise StageError("the map holds no positive density", "flip its sign or choose another map")
    strong = float(positive[positive >= np.quantile(positive, 0.95)].mean())
    noise = coloured_noise(frame, params.noise * strong, params.correlation, ctx.seed)
    bulk = coloured_noise(frame, params.bulk * strong, BULK_B, ctx.seed + 1)
    ctx.note("noise, map units", params.noise * strong)
    return DensityMap(values + noise + bulk, frame)
