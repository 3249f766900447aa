"""Probability maps of a density map, as the published program makes them."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Frame, ProbabilityMaps
from cryoweave.host import Context
from cryoweave.io.checkpoint import TorchNetwork
from cryoweave.kernels.boxes import Place, Scan, over_boxes
from cryoweave.kernels.grid import require_contrast, resample
from cryoweave_modelangelo.classes import CLASSES, RIM, VOXEL
from cryoweave_modelangelo.stages import MapsParams
from cryoweave_modelangelo.weights import load

SMALL = 1e-6
"""Added to standard deviations."""


def maps(density: DensityMap, params: MapsParams, ctx: Context) -> ProbabilityMaps:
    """Probabilities at about 1.5 Å, in a cube that holds the map, in float16."""
    require_contrast(density)
    network, size = load(params, ctx)
    seen = rescaled(cube(density))
    held = channels(seen.values)
    held = np.pad(held, [(0, 0), *[(RIM, RIM)] * 3])  # so that the rim that is thrown away lies outside
    at = places(held.shape[1], size, params.stride)
    found = np.zeros((len(CLASSES), *held.shape[1:]), np.float16)
    scan = Scan([at] * 3, size, rim=RIM, batch=max(params.batch, network.lanes))
    ran = over_boxes(held, found, partial(_run, network, ctx), scan, ctx.progress)
    ctx.note("boxes", ran)
    ctx.note("voxel, Å", round(seen.frame.voxel_xyz[0], 4))
    ctx.note("runs on", network.runs_on)
    inner = slice(RIM, -RIM)
    return ProbabilityMaps(found[:, inner, inner, inner], seen.frame, CLASSES)


def _run(network: TorchNetwork, ctx: Context, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return network.run(of_deviation_1(boxes), partial(ctx.progress, 0, 0))


def of_deviation_1(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Boxes ``(n, 2, d, d, d)`` whose density has mean 0 and deviation 1 each, as the published network begins."""
    density = boxes[:, :1].astype(np.float64)
    mean, deviation = (take(axis=(2, 3, 4), keepdims=True) for take in (density.mean, partial(density.std, ddof=1)))
    return np.concatenate(((density - mean) / (deviation + SMALL), boxes[:, 1:]), axis=1, dtype=np.float32)


def places(n: int, size: int, stride: int) -> list[Place]:
    """Boxes along an axis as published: every ``stride`` voxels, and one that ends before the last voxel.

    One at 0 is always there, where the published program leaves out the beginning of small maps.
    """
    last = max(n - 1 - size, 0)
    return [(start, 1) for start in sorted({0, *range(0, (n - size) // stride * stride, stride), last})]


def cube(density: DensityMap) -> DensityMap:
    """The map in the middle of a cube with an even number of voxels; voxels that are not cubic become so first."""
    voxel = min(density.frame.voxel_xyz)
    if max(density.frame.voxel_xyz) - voxel > 1e-4:
        frame = density.frame.with_voxel(voxel)
        density = DensityMap(resample(density.values, density.frame, frame, "cubic"), frame)
    shape = density.values.shape
    n = max(shape) + max(shape) % 2
    first = [n // 2 - edge // 2 for edge in shape]
    values = np.zeros((n, n, n), np.float32)
    values[tuple(slice(at, at + edge) for at, edge in zip(first, shape, strict=True))] = density.values
    origin = density.frame.to_xyz([-at for at in first])[0]
    return DensityMap(values, Frame((n, n, n), density.frame.voxel_xyz, (origin[0], origin[1], origin[2])))


def rescaled(density: DensityMap) -> DensityMap:
    """A cube on voxels of about 1.5 Å, an even number, by cutting or filling its Fourier transform."""
    n, voxel = density.values.shape[0], density.frame.voxel_xyz[0]
    new = even(n, voxel)
    if new == n:
        return density
    low = np.fft.fftshift(np.fft.rfftn(density.values), axes=(0, 1))
    out = np.zeros((new, new, new // 2 + 1), np.complex128)
    half = min(n, new) // 2
    there, here = (slice(m // 2 - half, m // 2 + half) for m in (n, new))
    out[here, here, : half + 1] = low[there, there, : half + 1]
    scale = (new / n) ** 3
    values = np.fft.irfftn(np.fft.ifftshift(out, axes=(0, 1)), s=(new, new, new), axes=(0, 1, 2)) * scale
    side = voxel * n / new
    return DensityMap(values.astype(np.float32), Frame((new, new, new), (side, side, side), density.frame.origin_xyz))


def even(n: int, voxel: float) -> int:
    """The even number of voxels whose size is nearest to 1.5 Å, beside the rounded number."""
    new = round(n * voxel / VOXEL)
    if new % 2 == 0:
        return max(new, 2)
    below, above = (abs(voxel * n / m - VOXEL) for m in (max(new - 1, 1), new + 1))
    return new + 1 if above < below else max(new - 1, 2)


def channels(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Density less its mean over its deviation, and its local deviation, ``(2, z, y, x)``."""
    import torch

    from cryoweave_modelangelo.network import local_deviation

    density = ((values - values.mean(dtype=np.float64)) / (values.std(dtype=np.float64) + SMALL)).astype(np.float32)
    with torch.inference_mode():
        around: NDArray[np.float32] = local_deviation(torch.from_numpy(density)).numpy()
    return np.stack((density, around))
