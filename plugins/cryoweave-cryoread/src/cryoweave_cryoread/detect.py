"""Probability maps of a density map, as the published program makes them."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, ProbabilityMaps
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.io.checkpoint import TorchNetwork
from cryoweave.kernels.boxes import Scan, over_boxes, places
from cryoweave.kernels.grid import require_contrast
from cryoweave.kernels.network_input import from_0_to_1, whole_angstroms
from cryoweave_cryoread.classes import BASES, BOX, BRIGHT, CHAIN, CLASSES, LEAST, LIKELY
from cryoweave_cryoread.stages import MapsParams
from cryoweave_cryoread.weights import load

ALL = 1 + len(CHAIN) + len(BASES)
"""Density, and what the first network says."""
JOINED, JOINS = 1 + len(CHAIN) + BASES.index("base_UT"), ALL - 1


def maps(density: DensityMap, params: MapsParams, ctx: Context) -> ProbabilityMaps:
    """Probabilities at 1 Å, in float16; 0 where boxes without density, or without anything likely, were left out.

    Raises
    ------
    StageError
        If no density lies above 0 or above the contour.
    """
    require_contrast(density)
    networks = load(params, ctx)
    seen, high = from_0_to_1(whole_angstroms(density, "fade"), BRIGHT)
    if params.contour >= high:
        raise StageError(f"the contour {params.contour:g} is above nearly all density", f"give one below {high:.3g}")
    held = np.zeros((ALL, *seen.values.shape), np.float32)
    held[0] = seen.values
    at = [places(n, BOX, params.stride) for n in seen.values.shape]
    dense = partial(is_dense, contour=params.contour / high)
    batch = max(params.batch, networks[0].lanes)
    scan = Scan(at, BOX, batch=batch, wanted=dense)
    ran = over_boxes(held[:1], held[1:], partial(_run, networks[0], ctx, 0), scan, partial(_tick, ctx, 0))
    if not ran:
        raise StageError("no box holds density above the contour", "lower the contour")
    held[JOINED] = np.maximum(held[JOINED], held[JOINS])
    found = np.zeros((len(CLASSES), *seen.values.shape), np.float16)
    scan = Scan(at, BOX, "max", batch=batch, wanted=lambda box: dense(box) and is_likely(box))
    again = over_boxes(held[:JOINS], found, partial(_run, networks[1], ctx, 1), scan, partial(_tick, ctx, 1))
    if not again:
        ctx.log.warning("the first network finds next to nothing: all maps are 0. Is there DNA or RNA in the map?")
    ctx.note("boxes", ran)
    ctx.note("boxes of the second network", again)
    ctx.note("runs on", networks[0].runs_on)
    return ProbabilityMaps(found, seen.frame, CLASSES)


def _run(network: TorchNetwork, ctx: Context, first: int, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return network.run(boxes[:, first:], lambda: ctx.progress(0, 0))


def _tick(ctx: Context, part: int, done: int, boxes: int) -> None:
    ctx.progress(part * boxes + done, 2 * boxes)


def is_dense(box: NDArray[np.float32], contour: float) -> bool:
    """Whether more than a thousandth of a box, whose first channel is the density, lies above the contour."""
    return bool(np.count_nonzero(box[0] > contour) > LEAST * box[0].size)


def is_likely(box: NDArray[np.float32]) -> bool:
    """Whether the other channels hold more likely values than a thousandth of the box's voxels."""
    return bool(np.count_nonzero(box[1:] > LIKELY) > LEAST * box[0].size)
