"""Parts of a predicted chain: where each fits the threaded residues and the detected points."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from cryoweave.data import PointCloud
from cryoweave.host import Context
from cryoweave.kernels.evidence import AminoEvidence
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.metrics import superpose
from cryoweave.kernels.predicted import PredictedChain
from cryoweave_emodelx.stages import CompleteParams

RADII = (10.0, 14.0, 18.0)
"""Å about the middle of the threaded residues: what of the model is laid on the points, wider and wider."""
ROUNDS = 4
"""Superpositions on the nearest points at each radius."""
CATCH = 3.0
"""Å: points farther off do not pull; neighbours along the chain are 3.8 apart."""
WIDTH = 1.5
"""Å: a point so far from a residue supports it by 1/e; about one at random lies as near as that among ten."""
AROUND = 12.0
"""Å: residues so near in the model say together whether a part fits."""
NAMES = 0.1
"""Of the log-odds of its amino acid in a residue's support."""
THREADED, MEANT = 0.5, 3.0
"""Of a threaded residue's confidence in the support: for a part that has it at the same place, within about so many Å,
half as much against one that has it elsewhere."""
SWITCH = 0.5
"""Support that going from one part to another along the chain costs."""
Xyz = NDArray[np.float64]


class Pose(NamedTuple):
    """A point x of the model goes to ``x @ rotation.T + translation``."""

    rotation: Xyz
    translation: Xyz


class Parts(NamedTuple):
    """Residues of a chain as parts of the model have them."""

    xyz: Xyz
    """Å, NaN where no part fits, ``(n, 3)``."""
    support: NDArray[np.float64]
    """0..1, ``(n,)``."""
    parts: int


class Known(NamedTuple):
    """Threaded residues of a chain."""

    xyz: Xyz
    """Å, NaN where there is none, ``(n, 3)``."""
    confidence: NDArray[np.float64]
    """0..1, ``(n,)``."""
    part: NDArray[np.intp]
    """What the threading says that each comes from, -1 where it says nothing, ``(n,)``."""


class Places:
    """Detected points, and which of them hold residues already."""

    def __init__(self, points: PointCloud) -> None:
        self.xyz = points.xyz
        self.evidence = AminoEvidence(points)
        self.used = np.zeros(len(points), bool)

    def near(self, xyz: Xyz) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """The nearest point of each place, and Å to it."""
        index, distance = nearest(self.xyz, xyz)
        return index[:, 0].astype(np.intp), distance[:, 0]


def part_poses(
    known: Known, template: PredictedChain, whole: list[Pose], places: Places, params: CompleteParams, ctx: Context
) -> list[Pose]:
    """Poses of parts, each laid on the points around a stretch of the model.

    They begin with superpositions on stretches of threaded residues and with the given poses of the whole model. From
    the best of these one goes along the chain to both sides: each next stretch begins with the pose of the last.
    """
    there = np.flatnonzero(~np.isnan(template.xyz[:, 0]))
    both = there[~np.isnan(known.xyz[there, 0])]
    found = []
    for start in range(0, len(both) - params.anchors + 1, params.stride):
        ctx.progress(start, len(both))
        rows = both[start : start + params.anchors]
        fit = superpose(template.xyz[rows], known.xyz[rows])
        if fit.rmsd <= params.rmsd:
            found.append(_settled(Pose(fit.rotation, fit.translation), rows, template.xyz, there, places))
    for pose in whole:
        ctx.progress(0, 0)
        found.append(_settled(pose, there, template.xyz, there, places))
    if not found:
        return found
    local = local_support(template, there, found, places, known)
    best = np.argsort(-local.max(axis=0), kind="stable")[: params.walks]
    for k in best.tolist():
        found += _walked(found[k], int(local[:, k].argmax()), template.xyz, there, places, params, ctx)
    return found


def _walked(
    pose: Pose,
    middle: int,
    template: Xyz,
    there: NDArray[np.intp],
    places: Places,
    params: CompleteParams,
    ctx: Context,
) -> list[Pose]:
    """From a stretch around one residue to both ends of the chain."""
    half = params.anchors // 2
    found = []
    for way in (1, -1):
        now = pose
        for at in range(middle, len(there) if way > 0 else -1, way * max(half // 2, 1)):
            ctx.progress(0, 0)
            now = _settled(now, there[max(at - half, 0) : at + half + 1], template, there, places)
            found.append(now)
    return found


def _settled(pose: Pose, rows: NDArray[np.intp], template: Xyz, there: NDArray[np.intp], places: Places) -> Pose:
    """The pose laid on the nearest points, of more and more of the model around the residues it began with."""
    away = np.linalg.norm(template[there] - template[rows].mean(axis=0), axis=1)
    for radius in RADII:
        own = template[there[away <= radius]]
        for _ in range(ROUNDS):
            index, distance = places.near(own @ pose.rotation.T + pose.translation)
            close = distance <= CATCH
            if close.sum() < len(rows) // 2 or close.sum() < 4:
                break
            weight = np.exp(-((distance[close] / WIDTH) ** 2)) + 1e-6
            fit = superpose(own[close], places.xyz[index[close]], weight)
            pose = Pose(fit.rotation, fit.translation)
    return pose


def support(
    template: PredictedChain, there: NDArray[np.intp], pose: Pose, places: Places, known: Known
) -> NDArray[np.float64]:
    """How well points and threading agree with each residue that the model has, ``(len(there),)``.

    Points by how near they are and by their amino acids.
    """
    moved = template.xyz[there] @ pose.rotation.T + pose.translation
    index, distance = places.near(moved)
    near = np.where(places.used[index], 0.0, np.exp(-((distance / WIDTH) ** 2)))
    odds = np.concatenate([places.evidence.log_odds(places.xyz[index]), np.zeros((len(index), 1))], axis=1)
    seen = near * (1 + NAMES * odds[np.arange(len(index)), template.kinds[there]])
    apart = np.linalg.norm(moved - known.xyz[there], axis=1)
    meant = np.nan_to_num(1.5 * np.exp(-((apart / MEANT) ** 2)) - 0.5)
    return np.asarray(seen + THREADED * known.confidence[there] * meant)


def local_support(
    template: PredictedChain, there: NDArray[np.intp], poses: list[Pose], places: Places, known: Known
) -> NDArray[np.float64]:
    """Mean support of the residues around each one by each pose, ``(len(there), poses)``."""
    around = np.linalg.norm(template.xyz[there][:, None] - template.xyz[there][None], axis=2) <= AROUND
    share = around / around.sum(axis=1, keepdims=True)
    return np.stack([share @ support(template, there, pose, places, known) for pose in poses], axis=1)


def chosen_parts(
    template: PredictedChain, poses: list[Pose], places: Places, known: Known, params: CompleteParams
) -> Parts:
    """For each residue the pose that the points around it support best, or none; few changes along the chain."""
    there = np.flatnonzero(~np.isnan(template.xyz[:, 0]))
    found = np.full(template.xyz.shape, np.nan)
    gains = np.zeros(len(found))
    if not poses or not len(there):
        return Parts(found, gains, 0)
    local = local_support(template, there, poses, places, known)
    way = best_way(np.concatenate([local - params.support, np.zeros((len(there), 1))], axis=1), SWITCH)
    for k in range(len(poses)):
        rows = way == k
        found[there[rows]] = template.xyz[there[rows]] @ poses[k].rotation.T + poses[k].translation
        gains[there[rows]] = local[rows, k]
    return Parts(found, np.clip(gains, 0, 1), len({*way.tolist()} - {len(poses)}))


def best_way(gain: NDArray[np.float64], switch: float) -> NDArray[np.intp]:
    """The state of each row whose gains, less the cost of each change of state, add up to most; ``(rows,)``."""
    total = gain[0]
    came = np.empty(gain.shape, np.intp)
    states = np.arange(gain.shape[1])
    for row in range(1, len(gain)):
        best = int(total.argmax())
        change = total[best] - switch > total
        came[row] = np.where(change, best, states)
        total = np.where(change, total[best] - switch, total) + gain[row]
    way = np.empty(len(gain), np.intp)
    way[-1] = total.argmax()
    for row in range(len(gain) - 1, 0, -1):
        way[row - 1] = came[row, way[row]]
    return way


class Laid(NamedTuple):
    """Residues as they are laid, ``(n, 3)`` and ``(n,)``, and which lie on detected points."""

    xyz: Xyz
    confidence: NDArray[np.float64]
    on_point: NDArray[np.bool_]


def laid_on_points(parts: Parts, places: Places, params: CompleteParams) -> Laid:
    """Each residue on a free point of its own where one is near; the others go along with their neighbours' shifts.

    The confidence of a residue without a point is half of its support.
    """
    there = np.flatnonzero(~np.isnan(parts.xyz[:, 0]))
    xyz, confidence = parts.xyz.copy(), 0.5 * parts.support
    on_point = np.zeros(len(xyz), bool)
    if not len(there):
        return Laid(xyz, confidence, on_point)
    distance = np.linalg.norm(parts.xyz[there][:, None] - places.xyz[None], axis=2)
    near = (distance <= params.catch) & ~places.used
    # A pair that is too far costs more than any number of near ones.
    cost = np.where(near, distance**2, 2 * params.catch**2 * (len(there) + 1))
    row, point = linear_sum_assignment(cost)
    on = near[row, point]
    row, point = row[on], point[on]
    places.used[point] = True
    shift = places.xyz[point] - parts.xyz[there[row]]
    weight = np.exp(-0.5 * ((there[:, None] - there[row][None]) / 2.0) ** 2)
    total = weight.sum(axis=1, keepdims=True)
    xyz[there] += np.where(total > 1e-3, weight @ shift / np.maximum(total, 1e-3), 0)
    xyz[there[row]] = places.xyz[point]
    confidence[there[row]] = parts.support[there[row]]
    on_point[there[row]] = True
    return Laid(xyz, confidence, on_point)
