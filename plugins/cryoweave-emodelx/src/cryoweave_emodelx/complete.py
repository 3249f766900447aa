"""Parts of predicted models laid on threaded residues and detected points, and gaps filled from them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import ModelSet, PointCloud, Poses, ProbabilityMaps, Threading
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.bonds import main_chain
from cryoweave.kernels.grid import interpolate
from cryoweave.kernels.predicted import PARTS, PredictedChain, predicted_chains
from cryoweave_emodelx.parts import Known, Laid, Places, Pose, chosen_parts, laid_on_points, part_poses
from cryoweave_emodelx.stages import CompleteParams

STEP = 3.8
"""Å between the Cα of neighbours (trans peptide)."""
CLASH = 2.5
"""Å between different residues at least: Terashi et al. 2024, Nat. Methods 21, 122."""
Xyz = NDArray[np.float64]


class Filled(NamedTuple):
    """Residues of a chain, ``(n, 3)`` and ``(n,)``; NaN where there is no place."""

    xyz: Xyz
    confidence: NDArray[np.float64]
    part: NDArray[np.intp]
    """0 or 1 where a model's part was laid, on a point or not (`PARTS`), else as `placed` counts."""
    added: int
    """Residues that had no place before."""
    moved: int
    """Residues that had another place before."""


def completed(
    threading: Threading,
    points: PointCloud,
    models: ModelSet,
    maps: ProbabilityMaps | None,
    poses: Poses | None,
    params: CompleteParams,
    ctx: Context,
) -> Threading:
    """The best candidate, with residues of the predicted models where parts of them fit it and the points."""
    if not len(threading):
        raise StageError("there is no candidate to complete", "look at the steps before")
    if not len(points):
        raise StageError("there are no points to lay the models on", "lower the detector's threshold")
    if maps is not None and not (main_chain(maps).values >= params.main_chain).any():
        raise StageError(
            "the maps have no main chain", "are they those of this density? Lower `main_chain`, or leave them out"
        )
    templates = best_of_each(predicted_chains(models, threading.sequences, params.identity))
    if not templates:
        raise StageError(
            f"no chain of the models has a sequence with an identity of {params.identity:g} to a given one",
            "give predictions of the chains in the map, or lower `identity`",
        )
    free = Places(points)
    filled = {}
    chains = threading.chains()
    for number, (letters, _) in enumerate(chains):
        ctx.progress(number, len(chains))
        threaded = placed(threading, number, len(letters))
        if number not in templates:
            filled[number] = Filled(*threaded, 0, 0)
            continue
        template = templates[number]
        tried = part_poses(threaded, template, poses_of(template.model, poses), free, params, ctx)
        found = chosen_parts(template, tried, free, threaded, params)
        laid = laid_on_points(found, free, params)
        filled[number] = merged(threaded, laid, laid.confidence * supported(laid.xyz, maps, params))
        ctx.note(f"parts of chain {number}", found.parts)
    return as_threading(threading, filled, ctx)


def best_of_each(found: list[PredictedChain]) -> dict[int, PredictedChain]:
    """For each chain the first of those that have most of its residues."""
    ranked = sorted(found, key=lambda one: -one.equal)
    return {number: one for one in ranked[::-1] for number in one.chains}


def poses_of(model: str, poses: Poses | None) -> list[Pose]:
    """The given poses of one model."""
    if poses is None:
        return []
    return [Pose(poses.rotation[k], poses.translation[k]) for k in np.flatnonzero(poses.model == model)]


def placed(threading: Threading, chain: int, length: int) -> Known:
    """A chain's residues in the best candidate; what they come from is counted on behind `PARTS`."""
    found = Known(np.full((length, 3), np.nan), np.zeros(length), np.full(length, -1))
    rows = np.arange(len(threading.candidate))[threading.rows_of(0)]
    rows = rows[threading.chain[rows] == chain]
    residue, part = threading.residue[rows], threading.part[rows]
    found.xyz[residue], found.confidence[residue] = threading.xyz[rows], threading.confidence[rows]
    found.part[residue] = np.where(part < 0, -1, part + len(PARTS))
    return found


def supported(xyz: Xyz, maps: ProbabilityMaps | None, params: CompleteParams) -> NDArray[np.float64]:
    """1 where the main chain is likely enough or no map is given, else 0; ``(n,)``."""
    found = np.ones(len(xyz))
    if maps is not None:
        there = ~np.isnan(xyz[:, 0])
        chain = main_chain(maps)
        found[there] = interpolate(chain.values, chain.frame, xyz[there]) >= params.main_chain
    return found


def merged(threaded: Known, laid: Laid, share: NDArray[np.float64]) -> Filled:
    """The model's residues where they are laid, unless they are threaded elsewhere and that is surer.

    Threaded residues without a place in a part stay where they go with the others.
    """
    known, confidence, part = threaded
    before = ~np.isnan(known[:, 0])
    elsewhere = before & (np.linalg.norm(known - laid.xyz, axis=1) > CLASH) & (confidence > share)
    mine = ~np.isnan(laid.xyz[:, 0]) & (share > 0) & ~elsewhere
    xyz = np.where(mine[:, None], laid.xyz, np.nan)
    sure = np.where(mine, share, 0.0)
    for k in np.flatnonzero(before & ~mine).tolist():
        if _goes_with(known[k], k, xyz, mine):
            xyz[k], sure[k] = known[k], confidence[k]
    # The trailing comparison is false for NaN, so that residues new to the model do not count as moved.
    apart = np.linalg.norm(xyz - known, axis=1)
    added = int((mine & ~before).sum())
    part = np.where(mine, np.where(laid.on_point, 0, 1), part)
    return Filled(xyz, sure, part, added, int((apart > CLASH).sum()))


def _goes_with(at: Xyz, k: int, xyz: Xyz, mine: NDArray[np.bool_]) -> bool:
    """Whether a threaded residue neither clashes with the laid ones nor is beyond the reach of the nearest two."""
    there = np.flatnonzero(mine)
    if not len(there):
        return True
    away = np.linalg.norm(xyz[there] - at, axis=1)
    after = int(np.searchsorted(there, k))
    near = [one for one in (after - 1, after) if 0 <= one < len(there)]
    reach = all(away[one] <= STEP * abs(int(there[one]) - k) + CLASH for one in near)
    return bool(away.min() >= CLASH and reach)


def as_threading(threading: Threading, filled: dict[int, Filled], ctx: Context) -> Threading:
    """All chains as one candidate."""
    rows = {number: np.flatnonzero(~np.isnan(one.xyz[:, 0])) for number, one in filled.items()}
    count = sum(len(one) for one in rows.values())
    added = sum(one.added for one in filled.values())
    moved = sum(one.moved for one in filled.values())
    ctx.note("residues added from models", added)
    ctx.note("residues moved to where models have them", moved)
    origin = threading.origin[0] if threading.origin else ""
    return Threading(
        sequences=threading.sequences,
        candidate=np.zeros(count, np.int32),
        chain=np.repeat(np.array([*rows], np.int32), [len(one) for one in rows.values()]),
        residue=np.concatenate([*rows.values()]).astype(np.int32),
        xyz=np.concatenate([filled[number].xyz[one] for number, one in rows.items()]),
        confidence=np.concatenate([filled[number].confidence[one] for number, one in rows.items()]).astype(np.float32),
        score=threading.score[:1],
        part=np.concatenate([filled[number].part[one] for number, one in rows.items()]),
        parts=(*PARTS, *threading.parts),
        origin=(f"{origin}; {added} residues added and {moved} moved by predicted models",),
    )
