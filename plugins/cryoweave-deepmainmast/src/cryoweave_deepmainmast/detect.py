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
from cryoweave_deepmainmast.classes import AMINO, ATOMS, BACKBONE, BOX, BRIGHT, LEAST
from cryoweave_deepmainmast.stages import MapsParams
from cryoweave_deepmainmast.weights import load

CLASSES = (BACKBONE, *ATOMS[1:], *AMINO)
CHAIN = slice(CLASSES.index("N"), CLASSES.index("O") + 1)
Block = tuple[slice, slice, slice]


def maps(density: DensityMap, params: MapsParams, ctx: Context) -> ProbabilityMaps:
    """Probabilities at 1 Å, in float16; 0 where boxes without density were left out.

    Raises
    ------
    StageError
        If no density lies above 0 or above the contour.
    """
    require_contrast(density)
    networks = load(params, ctx)
    fine = whole_angstroms(density)
    block = filled(fine.values)
    seen, high = from_0_to_1(DensityMap(fine.values[block], fine.frame.crop(*_place(block))), BRIGHT)
    if params.contour >= high:
        raise StageError(f"the contour {params.contour:g} is above nearly all density", f"give one below {high:.3g}")
    wanted = partial(worth, contour=params.contour / high)
    scan = Scan([places(n, BOX, params.stride) for n in seen.values.shape], BOX, batch=params.batch, wanted=wanted)
    found = np.zeros((len(CLASSES), *fine.values.shape), np.float16)
    atoms, amino = found[1 : len(ATOMS)], found[len(ATOMS) :]
    ran = 0
    for part, (out, network, first) in enumerate(((atoms, networks[0], 1), (amino, networks[1], 0))):
        ran += over_boxes(
            seen.values[None],
            out[(slice(None), *block)],
            partial(_run, network, ctx, first),
            scan,
            partial(_tick, ctx, part),
        )
    if not ran:
        raise StageError("no box holds density above the contour", "lower the contour")
    found[0] = np.minimum(found[CHAIN].sum(axis=0, dtype=np.float32), 1)
    ctx.note("boxes", ran // 2)
    ctx.note("runs on", networks[0].runs_on)
    return ProbabilityMaps(found, fine.frame, CLASSES)


def _run(network: TorchNetwork, ctx: Context, first: int, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return network.run(boxes, lambda: ctx.progress(0, 0))[:, first:]


def _tick(ctx: Context, part: int, done: int, boxes: int) -> None:
    ctx.progress(part * boxes + done, 2 * boxes)


def filled(values: NDArray[np.float32]) -> Block:
    """The block that the published program cuts out: from the first to before the last plane with density above 0."""
    above = values > 0
    if not above.any():
        raise StageError("the map has no density above 0", "is it masked away, or inverted? See `cryoweave check`")
    ends = []
    for axis in range(3):
        at = np.flatnonzero(above.any(axis=tuple(a for a in range(3) if a != axis)))
        ends.append(slice(int(at[0]), max(int(at[-1]), int(at[0]) + 1)))
    return ends[0], ends[1], ends[2]


def _place(block: Block) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    z, y, x = block
    return (z.start, y.start, x.start), (z.stop - z.start, y.stop - y.start, x.stop - x.start)


def worth(box: NDArray[np.float32], contour: float) -> bool:
    """Whether more than a thousandth of a box lies above the contour."""
    return bool(np.count_nonzero(box > contour) > LEAST * box.size)
