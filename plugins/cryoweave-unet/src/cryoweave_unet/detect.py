"""Probability maps of a density map, and the Cα candidates in them."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, PointCloud, ProbabilityMaps
from cryoweave.errors import InputError, StageError
from cryoweave.host import Context
from cryoweave.kernels.graph import nearest, neighbour_pairs
from cryoweave.kernels.grid import gaussian, require_contrast
from cryoweave.kernels.peaks import local_maxima
from cryoweave_unet.classes import AMINO, ATOMS, CLASSES, HEADS, STRUCTURE
from cryoweave_unet.infer import softmax, tiles
from cryoweave_unet.prepare import prepared
from cryoweave_unet.stages import MapsParams, NetworkParams, PointsParams
from cryoweave_unet.weights import load_detector

CALPHA = "CA"
LEAST = 0.01
"""Share of the highest Cα probability below which a voxel has no say in a point's classes."""
MAIN_CHAIN = tuple(ATOMS.index(name) for name in ("N", "CA", "C", "O"))


def maps(density: DensityMap, params: MapsParams, ctx: Context) -> ProbabilityMaps:
    """Probabilities at 1 Å, in float16; 0 where tiles without density were left out."""
    require_contrast(density)
    detector = load_detector(params.network, ctx)
    fine = prepared(density)
    names = CLASSES if params.classes == "all" else tuple(c for c in CLASSES if c not in (*STRUCTURE, *AMINO))
    found = np.zeros((len(names), *fine.values.shape), np.float16)

    def watched(box: NDArray[np.float32]) -> NDArray[np.float32]:
        return detector.run(box, lambda: ctx.progress(0, 0))

    for place, logits in tiles(fine.values[None], watched, detector.stride, ctx.progress):
        found[(slice(None), *place)] = probabilities(logits)[: len(names)]
    ctx.note("network", detector.name)
    ctx.note("runs on", detector.network.runs_on)
    return ProbabilityMaps(found, fine.frame, names)


def check(params: NetworkParams, **_inputs: object) -> None:
    """Whether the network can be loaded, before a long run finds that it cannot."""
    load_detector(params.network, Context())


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits ``(34, ...)`` to probabilities in the order of ``CLASSES``, ``(33, ...)``."""
    parts, start = {}, 0
    for name, classes in HEADS.items():
        parts[name] = softmax(logits[start : start + len(classes)])
        start += len(classes)
    backbone = parts["atoms"][list(MAIN_CHAIN)].sum(axis=0, keepdims=True)
    chain = (np.minimum(backbone, 1), parts["atoms"][1:], parts["nucleic"][1:], parts["structure"], parts["amino"])
    return np.concatenate(chain)


def points(maps: ProbabilityMaps, params: PointsParams, ctx: Context) -> PointCloud:
    """Peaks of the Cα map, the likeliest first; weight: its averaged probability there."""
    if CALPHA not in maps.classes:
        raise InputError(f"the maps have no class {CALPHA}", "make them with unet.maps")
    calpha = maps.of(CALPHA)
    smooth = gaussian(calpha.values, tuple(params.width / voxel for voxel in calpha.frame.voxel_xyz[::-1]))  # type: ignore[arg-type]
    zyx = local_maxima(smooth, params.threshold)
    if not len(zyx):
        raise StageError(
            f"no voxel is a Cα with a probability above {params.threshold:g}; the highest is {smooth.max():.3g}",
            "is it the map of a protein at 5 Å or better? `cryoweave check` says; else lower the threshold",
        )
    weight = smooth[tuple(zyx.T)]
    order = np.argsort(-weight, kind="stable")
    xyz, weight = calpha.frame.to_xyz(zyx[order]), weight[order]
    kept = apart(xyz, params.apart)
    ctx.note("points", int(kept.sum()))
    classes = tuple(name for name in (*STRUCTURE, *AMINO) if name in maps.classes)
    return PointCloud(
        xyz[kept],
        weight[kept],
        probabilities=gathered(maps, classes, calpha, xyz[kept], params.gather),
        classes=classes,
    )


def apart(xyz: NDArray[np.float64], distance: float) -> NDArray[np.bool_]:
    """Which points stay if each, in their order, takes away the later ones that are closer than this."""
    kept = np.ones(len(xyz), bool)
    pairs, lengths = neighbour_pairs(xyz, distance)
    pairs = np.sort(np.asarray(pairs)[np.asarray(lengths) < distance], axis=1)
    for first, later in pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].tolist():
        if kept[first]:
            kept[later] = False
    return kept


def gathered(
    maps: ProbabilityMaps, classes: tuple[str, ...], calpha: DensityMap, xyz: NDArray[np.float64], radius: float
) -> NDArray[np.float32]:
    """Mean of some classes over the voxels around each point, weighted by the Cα probability, ``(n, c)``."""
    near = np.argwhere(calpha.values > LEAST * calpha.values.max())
    owner, distance = nearest(xyz, calpha.frame.to_xyz(near))
    close = distance[:, 0] <= radius
    near, owner = near[close], owner[close, 0]
    weight = calpha.values[tuple(near.T)].astype(np.float64)
    total = np.maximum(np.bincount(owner, weight, len(xyz)), 1e-12)
    found = np.empty((len(xyz), len(classes)), np.float32)
    for i, name in enumerate(classes):
        values = maps.values[maps.classes.index(name)][tuple(near.T)]
        found[:, i] = np.clip(np.bincount(owner, weight * values, len(xyz)) / total, 0, 1)
    return found
