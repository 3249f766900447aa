"""Parts of predicted chains laid on pieces of traces, as fragments among others."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import ModelSet, SequenceSet, Threading
from cryoweave.data.residues import letter_of
from cryoweave.host import Context
from cryoweave.kernels.align import align_sequences
from cryoweave.kernels.evidence import AminoEvidence, kinds_of
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.metrics import match_points, superpose
from cryoweave_tracing.pool import Piece, odds_at, pieces_of
from cryoweave_tracing.ungapped import first_chains

IDENTITY = 0.9
"""Share of a model's residues that must be those of the sequence it is for."""
SEED, SEED_RMSD = 9, 1.5
"""Residues of a seed and its RMSD in Å at most: Terashi et al. 2024, doi 10.1038/s41592-023-02099-0, as all below."""
ROUNDS, CLUSTER, GAP, WEIGHT = 10, 8.0, 10, 10.0
"""Rounds of refinement, Å within which poses are one, residues of a gap that is filled, weight of such fragments."""
NEAR = 3.0
"""Å between a residue and the point that it is aligned with; ours, the published text does not say."""
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
    for _, model in models:
        trace = model.trace_atoms()
        trace = trace.select(trace.atom_name == "CA")
        for name in dict.fromkeys(trace.chain.tolist()):
            own = trace.select(trace.chain == name)
            letters = "".join(letter_of(one) for one in own.residue_name.tolist())
            for chain, sequence in first_chains(sequences):
                mine, theirs = align_sequences(letters, sequence.letters).T.astype(np.intp)
                same = sum(
                    letters[a] == sequence.letters[b] for a, b in zip(mine.tolist(), theirs.tolist(), strict=True)
                )
                if same >= IDENTITY * len(letters):
                    found.append(Template(chain, theirs, own.xyz[mine], kinds_of(sequence.letters)[theirs]))
    return found


def predicted_pieces(
    known: Sequence[Template], threading: Threading, points: Xyz, evidence: AminoEvidence, least: int, ctx: Context
) -> list[Piece]:
    """Fragments of the models where seeds in register lay them on enough points, the best first."""
    found: list[Piece] = []
    for template in known:
        kept: list[tuple[int, Xyz]] = []
        for pose in poses(template, threading, points, ctx):
            aligned = match_points(pose, points, NEAR).pairs
            if len(aligned) >= least:
                kept.append((len(aligned), pose))
        kept.sort(key=lambda one: -one[0])
        apart: list[Xyz] = []
        for _, pose in kept:
            if all(np.sqrt(((pose - other) ** 2).sum(axis=1).mean()) > CLUSTER for other in apart):
                apart.append(pose)
                found.append(laid(template, pose, points, evidence))
    return found


def poses(template: Template, threading: Threading, points: Xyz, ctx: Context) -> Iterator[Xyz]:
    """The model laid on each seed and refined against the points; equal seeds once."""
    seen: set[tuple[int, bytes]] = set()
    for piece in pieces_of(threading):
        if piece.chain != template.chain:
            continue
        _, mine, theirs = np.intersect1d(template.residue, piece.residue, return_indices=True)
        for start in range(len(mine) - SEED + 1):
            a, b = mine[start : start + SEED], theirs[start : start + SEED]
            if template.residue[a[-1]] - template.residue[a[0]] != SEED - 1:
                continue
            name = (int(template.residue[a[0]]), piece.xyz[b].tobytes())
            if name in seen:
                continue
            seen.add(name)
            ctx.progress(0, 0)
            seed = superpose(template.xyz[a], piece.xyz[b])
            if seed.rmsd < SEED_RMSD:
                yield refined(template.xyz, template.xyz @ seed.rotation.T + seed.translation, points)


def refined(xyz: Xyz, pose: Xyz, points: Xyz) -> Xyz:
    """The pose after rounds of laying the residues on the points that they are next to."""
    for _ in range(ROUNDS):
        pairs = match_points(pose, points, NEAR).pairs
        if len(pairs) < SEED:
            return pose
        better = superpose(xyz[pairs[:, 0]], points[pairs[:, 1]])
        moved = xyz @ better.rotation.T + better.translation
        if np.abs(moved - pose).max() < 1e-3:
            return moved
        pose = moved
    return pose


def laid(template: Template, pose: Xyz, points: Xyz, evidence: AminoEvidence) -> Piece:
    """The residues that lie on points, each in the place of its point, and those in short gaps between them."""
    pairs = match_points(pose, points, NEAR).pairs
    order = np.argsort(pairs[:, 0])
    there, on = pairs[order, 0], pairs[order, 1]
    xyz, taken = pose.copy(), np.zeros(len(pose), bool)
    xyz[there], taken[there] = points[on], True
    for a, b in zip(there[:-1].tolist(), there[1:].tolist(), strict=True):
        taken[a : b + 1] |= template.residue[b] - template.residue[a] - 1 <= GAP
    rows = np.flatnonzero(taken)
    odds = odds_at(evidence, xyz[rows], template.kinds[rows])
    near = nearest(points, xyz[rows])[1][:, 0] <= NEAR
    sure = np.where(near, 0.9, 0.5)
    score = WEIGHT * float(np.maximum(odds, 0).sum())
    return Piece(template.chain, template.residue[rows], xyz[rows], sure, score, "model")
