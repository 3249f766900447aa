"""Parts of predicted chains laid on pieces of traces, as fragments among others."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import ModelSet, SequenceSet, Threading
from cryoweave.host import Context
from cryoweave.kernels.evidence import AminoEvidence
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.metrics import match_points, superpose
from cryoweave.kernels.predicted import PARTS, predicted_chains
from cryoweave_tracing.pool import Piece, odds_at, pieces_of

IDENTITY = 0.9
"""Share of a model's residues that must be those of the sequence it is for."""
SEED, SEED_RMSD = 9, 1.5
"""Residues of a seed and its RMSD in Å at most: Terashi et al. 2024, doi 10.1038/s41592-023-02099-0, as all below."""
ROUNDS, CLUSTER, GAP, WEIGHT = 10, 8.0, 10, 10.0
"""Rounds of refinement, Å within which poses are one, residues of a gap that is filled, weight of such fragments."""
NEAR, SNAP = 4.0, 2.0
"""Å between a residue of the model and the same one in a piece, or a point that it is put on; ours."""
Xyz = NDArray[np.float64]


class Template(NamedTuple):
    """A predicted chain."""

    chain: int
    """The first chain of its sequence."""
    residue: NDArray[np.intp]
    """Ascending, ``(n,)``."""
    xyz: Xyz
    """Cα, Å, ``(n, 3)``."""
    kinds: NDArray[np.intp]
    """Column of each residue in tables of log-odds, ``(n,)``."""


def templates(models: ModelSet, sequences: SequenceSet) -> list[Template]:
    """Each chain of the models for each sequence that it has."""
    found = []
    for one in predicted_chains(models, sequences, IDENTITY):
        there = np.flatnonzero(~np.isnan(one.xyz[:, 0]))
        found.append(Template(one.chains[0], there, one.xyz[there], one.kinds[there]))
    return found


class Placed(NamedTuple):
    """Residues of one chain in pieces of traces, those of the best piece first."""

    residue: NDArray[np.intp]
    """Rows of the template, ``(n,)``."""
    xyz: Xyz
    """Å, ``(n, 3)``."""


def predicted_pieces(
    known: Sequence[Template], threading: Threading, points: Xyz, evidence: AminoEvidence, least: int, ctx: Context
) -> list[tuple[int, Piece]]:
    """Fragments of the models where a seed lays them on enough residues of pieces, in register; the best first.

    Each with the number of residues that are aligned.
    """
    found: list[tuple[int, Piece]] = []
    pieces = sorted(pieces_of(threading), key=lambda one: -one.score)
    for template in known:
        own = [one for one in pieces if one.chain == template.chain]
        placed = placed_residues(template, own)
        tried = [(pose, aligned(pose, placed)) for pose in poses(template, own, placed, ctx)]
        tried = [one for one in tried if len(one[1]) >= least]
        apart: list[Xyz] = []
        for pose, rows in sorted(tried, key=lambda one: -len(one[1])):
            if all(np.sqrt(((pose - other) ** 2).sum(axis=1).mean()) > CLUSTER for other in apart):
                apart.append(pose)
                found.append((len(rows), laid(template, pose, placed, rows, points, evidence)))
    return found


def placed_residues(template: Template, pieces: Sequence[Piece]) -> Placed:
    """All residues of pieces that the template has."""
    residue, xyz = [np.zeros(0, np.intp)], [np.zeros((0, 3))]
    for piece in pieces:
        _, mine, theirs = np.intersect1d(template.residue, piece.residue, return_indices=True)
        residue.append(mine)
        xyz.append(piece.xyz[theirs])
    return Placed(np.concatenate(residue), np.concatenate(xyz))


def poses(template: Template, pieces: Sequence[Piece], placed: Placed, ctx: Context) -> Iterator[Xyz]:
    """The model laid on each seed and refined; equal seeds once."""
    seen: set[tuple[int, bytes]] = set()
    for piece in pieces:
        _, mine, theirs = np.intersect1d(template.residue, piece.residue, return_indices=True)
        for start in range(len(mine) - SEED + 1):
            a, b = mine[start : start + SEED], theirs[start : start + SEED]
            name = (int(a[0]), piece.xyz[b].tobytes())
            if template.residue[a[-1]] - template.residue[a[0]] != SEED - 1 or name in seen:
                continue
            seen.add(name)
            ctx.progress(0, 0)
            seed = superpose(template.xyz[a], piece.xyz[b])
            if seed.rmsd < SEED_RMSD:
                yield refined(template.xyz, template.xyz @ seed.rotation.T + seed.translation, placed)


def aligned(pose: Xyz, placed: Placed) -> NDArray[np.intp]:
    """Rows of placed residues that the pose has in their place, each residue once, ascending in residues."""
    rows = np.flatnonzero(((pose[placed.residue] - placed.xyz) ** 2).sum(axis=1) <= NEAR**2)
    return rows[np.unique(placed.residue[rows], return_index=True)[1]]


def refined(xyz: Xyz, pose: Xyz, placed: Placed) -> Xyz:
    """The pose after rounds of laying the residues on where pieces have them."""
    for _ in range(ROUNDS):
        rows = aligned(pose, placed)
        if len(rows) < SEED:
            return pose
        better = superpose(xyz[placed.residue[rows]], placed.xyz[rows])
        pose = xyz @ better.rotation.T + better.translation
    return pose


def laid(
    template: Template, pose: Xyz, placed: Placed, rows: NDArray[np.intp], points: Xyz, evidence: AminoEvidence
) -> Piece:
    """The aligned residues where pieces have them, and those in short gaps between them where the model has them.

    Within a gap the model is shifted as its two ends are, evenly; a residue next to a point is put on it.
    """
    there, number = placed.residue[rows], np.arange(len(pose))
    shift = placed.xyz[rows] - pose[there]
    xyz = pose + np.stack([np.interp(number, there, shift[:, axis]) for axis in range(3)], axis=1)
    gaps = np.flatnonzero(np.diff(template.residue[there]) - 1 > GAP)
    kept = (number >= there[0]) & (number <= there[-1])
    for gap in gaps.tolist():
        kept[there[gap] + 1 : there[gap + 1]] = False
    filled = np.setdiff1d(np.flatnonzero(kept), there)
    free = points[nearest(xyz[there], points)[1][:, 0] > SNAP]
    pairs = match_points(xyz[filled], free, SNAP).pairs
    xyz[filled[pairs[:, 0]]] = free[pairs[:, 1]]
    sure, part = np.full(len(pose), 0.5), np.full(len(pose), 1)
    part[filled[pairs[:, 0]]], part[there], sure[there] = 0, -1, 0.9
    odds = np.maximum(odds_at(evidence, xyz[kept], template.kinds[kept]), 0)
    score = WEIGHT * float(odds.sum())
    texts = np.array([*PARTS, ""])[part[kept]]
    return Piece(template.chain, template.residue[kept], xyz[kept], sure[kept], texts, score, "model")
