"""Probability maps of a density map."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, ProbabilityMaps
from cryoweave.host import Context
from cryoweave.kernels.grid import require_contrast
from cryoweave_unet.classes import AMINO, ATOMS, CLASSES, STRUCTURE
from cryoweave_unet.infer import Inner, heads_of, softmax, tiles
from cryoweave_unet.prepare import prepared
from cryoweave_unet.stages import MapsParams, NetworkParams
from cryoweave_unet.weights import load_detector

HALF_TURNS = ((), (3, 4), (2, 4), (2, 3))
"""Axes of a box ``(1, c, z, y, x)`` to flip: none, or two, which is half a turn about the third."""
MAIN_CHAIN = tuple(ATOMS.index(name) for name in ("N", "CA", "C", "O"))


def maps(density: DensityMap, params: MapsParams, ctx: Context) -> ProbabilityMaps:
    """Probabilities at 1 Å, in float16; 0 where tiles without density were left out."""
    require_contrast(density)
    detector = load_detector(params.network, ctx)
    fine = prepared(density)
    names = CLASSES if params.classes == "all" else tuple(c for c in CLASSES if c not in (*STRUCTURE, *AMINO))
    found = np.zeros((len(names), *fine.values.shape), np.float16)

    def seen(box: NDArray[np.float32], inner: Inner) -> NDArray[np.float32]:
        views = []
        for axes in HALF_TURNS[: params.turns]:
            logits = detector.run(np.ascontiguousarray(np.flip(box, axes)), lambda: ctx.progress(0, 0))
            views.append(probabilities(np.flip(logits, axes)[inner]))
        mean: NDArray[np.float32] = np.mean(views, axis=0, dtype=np.float32)
        return mean

    for place, values in tiles(fine.values[None], seen, detector.stride, ctx.progress):
        found[(slice(None), *place)] = values[: len(names)]
    ctx.note("network", detector.name)
    ctx.note("runs on", detector.network.runs_on)
    found.flags.writeable = False  # so that it is not copied
    return ProbabilityMaps(found, fine.frame, names)


def check(params: NetworkParams, **_inputs: object) -> None:
    """Whether the network can be loaded, before a long run finds that it cannot."""
    load_detector(params.network, Context())


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits ``(34, ...)`` to probabilities in the order of ``CLASSES``, ``(33, ...)``."""
    parts = {name: softmax(part) for name, part in heads_of(logits).items()}
    backbone = parts["atoms"][list(MAIN_CHAIN)].sum(axis=0, keepdims=True)
    chain = (np.minimum(backbone, 1), parts["atoms"][1:], parts["nucleic"][1:], parts["structure"], parts["amino"])
    return np.concatenate(chain)
