"""The comparison with a reference as other programs define it, by their names."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Metric, Model, ScoreTable
from cryoweave.data.residues import AMINO_ACIDS, NUCLEOTIDES
from cryoweave.host import Context, NoParams
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.metrics import lddt, match_points, superpose
from cryoweave_validation.compare import Rows, residue_atoms, same_atoms, traces

CLOSE = 3.0
"""Å: `--max-dist` of ModelAngelo's evaluate and `max_dist` of chain_comparison."""
BACKBONE = ("N", "CA", "C", "O", "OP1", "P", "OP2", "O5'")
"""The backbone of ModelAngelo's evaluate, of amino acids and of nucleotides."""

_PAIRS = "pairs of Cα (P) within 3 Å after superposing those found in place, contested ones drawn by lot"
MODELANGELO = {
    "recall": Metric(f"{_PAIRS}, of all reference Cα", "", True),
    "precision": Metric(f"{_PAIRS}, of all model Cα", "", True),
    "sequence_match": Metric("these pairs with the same residue type, of all pairs", "", True),
    "sequence_coverage": Metric("sequence match times recall", "", True),
    "ca_rmsd": Metric(
        "mean (that program says RMSD) distance of the paired Cα (P) after superposing the pairs", "Å", False
    ),
    "ca_rmsd_in_place": Metric("mean distance of the same pairs without superposition", "Å", False),
    "backbone_rmsd": Metric(
        "mean (that program says RMSD) distance of the backbone atoms (N, CA, C, O; OP1, P, OP2, O5') that both have, "
        "after superposing the pairs' Cα",
        "Å",
        False,
    ),
    "lddt": Metric("mean over the pairs of the lDDT of their Cα, distances to other pairs only", "", True),
}
CHAIN_COMPARISON = {
    "found": Metric("model residues close to (within 3 Å of) a target residue of their own, of all in the target", "%"),
    "rmsd": Metric("root mean square distance of close residues, in place", "Å", False),
    "ca_score": Metric("share found over the RMSD of close residues (at least 0.1 Å)", "", True),
    "sequence_match": Metric("close residues with the target's residue name, of all close residues", "%", True),
    "sequence_score": Metric("share found times share of the sequence that matches", "", True),
    "close": Metric("close residues", "residues", True),
    "far": Metric("model residues that are not close", "residues", False),
    "forward": Metric("close residues that follow each other as in the target", "residues", True),
    "reverse": Metric("close residues that follow each other against the target's direction", "residues", False),
    "mixed": Metric("close residues in neither", "residues", False),
    "mean_length": Metric("close residues over unbroken stretches in either direction", "residues", True),
    "fragments": Metric("pieces of the model: 1 and neighbours in the file over 7.6 Å (P: 16 Å) apart", "fragments"),
    "bad_connections": Metric("stretches that follow each other against the target's order", "bonds", False),
}


def as_published(model: Model, reference: Model, params: NoParams, ctx: Context) -> ScoreTable:
    """Figures of ModelAngelo's evaluate, and of chain_comparison for protein and nucleic acid each."""
    traces(model, reference)
    sets = [("modelangelo", modelangelo(model, reference, ctx.rng()), MODELANGELO)]
    for prefix, atom, step in (("chain_comparison", "CA", 3.8), ("chain_comparison_nucleic", "P", 8.0)):
        ours, native = plain(model, atom), plain(reference, atom)
        if len(native):
            sets.append((prefix, chain_comparison(ours, native, step), CHAIN_COMPARISON))
    nobody: list[str] = []
    return ScoreTable(
        chain=np.array(nobody),
        residue_number=np.zeros(0, np.int32),
        insertion_code=np.array(nobody),
        residue_name=np.array(nobody),
        whole={f"{prefix}_{name}": value for prefix, figures, _ in sets for name, value in figures.items()},
        metrics={f"{prefix}_{name}": metric for prefix, _, metrics in sets for name, metric in metrics.items()},
    )


def plain(model: Model, atom: str) -> Model:
    """Trace atoms of one name outside of HETATM records."""
    trace = model.trace_atoms()
    return trace.select((trace.atom_name == atom) & ~trace.hetero)


def modelangelo(model: Model, reference: Model, rng: np.random.Generator) -> dict[str, float]:
    """Figures of ModelAngelo's evaluate with its defaults; as there, contested residues are drawn by lot."""
    ours, native = (known(each.trace_atoms()) for each in (model, reference))
    pairs = drawn_pairs(ours.xyz, native.xyz, rng)
    if not len(pairs):
        return dict.fromkeys(MODELANGELO, 0.0) | {name: np.nan for name in MODELANGELO if "rmsd" in name}
    first = superpose(ours.xyz[pairs[:, 0]], native.xyz[pairs[:, 1]])
    moved = ours.xyz @ first.rotation.T + first.translation
    pairs = with_the_rest(moved, native.xyz, drawn_pairs(moved, native.xyz, rng))
    mine, theirs = ours.select(pairs[:, 0]), native.select(pairs[:, 1])
    fit = superpose(mine.xyz, theirs.xyz)
    wrong = len(ours) - len(np.unique(pairs[:, 0]))
    recall, match = len(pairs) / len(native), float((mine.residue_name == theirs.residue_name).mean())
    rows = np.arange(len(pairs))
    local = lddt(mine.xyz, theirs.xyz, rows, rows).residues
    backbone, same = backbones(model, ours, reference, native, pairs)
    return {
        "recall": recall,
        "precision": len(pairs) / (len(pairs) + wrong),
        "sequence_match": match,
        "sequence_coverage": match * recall,
        "ca_rmsd": mean_distance(mine.xyz @ fit.rotation.T + fit.translation, theirs.xyz),
        "ca_rmsd_in_place": mean_distance(mine.xyz, theirs.xyz),
        "backbone_rmsd": mean_distance(model.xyz[same] @ fit.rotation.T + fit.translation, reference.xyz[backbone]),
        "lddt": float(np.where(np.isnan(local), 1.0, local).mean()),  # without a neighbour it is 1 there
    }


def drawn_pairs(ours: NDArray[np.float64], native: NDArray[np.float64], rng: np.random.Generator) -> Rows:
    """Pairs within 3 Å that three draws agree on, rows of ``ours`` and of ``native``.

    In each draw the target's residues take, in a random order, the nearest of the model (of ten) that is free. The
    program takes number i of the model for free until number i of the *target* has got one; its figures follow from
    that. Residues that got the same in all draws in which they got any are paired; one of the model may be so twice.
    """
    if not len(ours) or not len(native):
        return np.zeros((0, 2), np.intp)
    near, distances = nearest(ours, native, min(10, len(ours)))
    choices = np.where(distances < CLOSE, near, -1).tolist()
    got: list[set[int]] = [set() for _ in choices]
    for _ in range(3):
        served = {-1}
        for j in rng.permutation(len(choices)).tolist():
            free = next((i for i in choices[j] if i not in served), None)
            if free is not None:
                served.add(j)
                got[j].add(free)
    pairs = [(*found, j) for j, found in enumerate(got) if len(found) == 1]
    return np.array(pairs, np.intp).reshape(-1, 2)


def with_the_rest(ours: NDArray[np.float64], native: NDArray[np.float64], pairs: Rows) -> Rows:
    """More pairs of what is left, the closest first, if less of the model is left than is paired."""
    left, wanted = (np.setdiff1d(np.arange(len(xyz)), pairs[:, i]) for i, xyz in enumerate((ours, native)))
    if len(left) >= len(ours) - len(left):
        return pairs
    more = match_points(ours[left], native[wanted], CLOSE).pairs
    return np.concatenate((pairs, np.column_stack((left[more[:, 0]], wanted[more[:, 1]]))))


def known(trace: Model) -> Model:
    """Cα and P of the residues that ModelAngelo knows."""
    names = np.isin(trace.residue_name, [*AMINO_ACIDS, *NUCLEOTIDES])
    return trace.select(names & np.isin(trace.atom_name, ("CA", "P")))


def backbones(model: Model, ours: Model, reference: Model, native: Model, pairs: Rows) -> tuple[Rows, Rows]:
    """Backbone atoms of the reference that the paired residues of the model have too, and the model's."""
    partner = np.full(len(native), -1, dtype=np.intp)
    partner[pairs[:, 1]] = pairs[:, 0]
    atoms, _ = residue_atoms(reference, native)
    same = same_atoms(model, ours, reference, native, partner)
    both = (same >= 0) & np.isin(reference.atom_name[atoms], BACKBONE)
    return atoms[both], same[both]


def mean_distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(a - b, axis=1).mean()) if len(a) else np.nan


def chain_comparison(ours: Model, native: Model, step: float) -> dict[str, float]:
    """Figures of phenix.chain_comparison against the whole target (no search for its unique chains).

    Parameters
    ----------
    ours, native
        Trace atoms in the order of the file.
    step
        Å that a residue spans.
    """
    pairs, distances = close_pairs(ours.xyz, native.xyz)
    n = len(pairs)
    ahead = directions(pairs)
    rmsd = float(np.sqrt((distances**2).mean())) if n else np.nan
    found = n / len(native)
    same = ours.residue_name[pairs[:, 0]] == native.residue_name[pairs[:, 1]]
    match = float(same.mean()) if n else 0.0
    pieces = sum(runs(pairs[ahead == way, 0]) for way in (1, -1))
    gaps = np.linalg.norm(np.diff(ours.xyz, axis=0), axis=1) > 2 * step
    return {
        "found": 100 * found,
        "rmsd": rmsd,
        "ca_score": found / max(0.1, rmsd) if n else 0.0,
        "sequence_match": 100 * match,
        "sequence_score": found * match,
        "close": n,
        "far": len(ours) - n,
        "forward": int((ahead == 1).sum()),
        "reverse": int((ahead == -1).sum()),
        "mixed": int((ahead == 0).sum()),
        "mean_length": n / max(1, pieces),
        "fragments": int(gaps.sum()) + 1 if len(ours) else 0,
        "bad_connections": bad_connections(pairs[:, 1].tolist()),
    }


def close_pairs(ours: NDArray[np.float64], native: NDArray[np.float64]) -> tuple[Rows, NDArray[np.float64]]:
    """Each model residue in turn takes the nearest target residue, or the second nearest if another has that.

    Returns
    -------
    Rows of both, shape ``(k, 2)``, and distances up to 3 Å.
    """
    near, distances = nearest(native, ours, min(2, len(native)))
    taken: set[int] = set()
    pairs, gaps = [], []
    for i, (choices, gap) in enumerate(zip(near.tolist(), distances.tolist(), strict=True)):
        place = int(choices[0] in taken and len(choices) > 1)
        if gap[place] <= CLOSE and choices[place] not in taken:
            taken.add(choices[place])
            pairs.append((i, choices[place]))
            gaps.append(gap[place])
    return np.array(pairs, dtype=np.intp).reshape(-1, 2), np.array(gaps)


def directions(pairs: Rows) -> NDArray[np.int64]:
    """For each pair 1 if it goes on forward, -1 if in reverse, 0 if neither.

    The first of a stretch is told by the pair behind it, the others by the one before; the pair with which a stretch
    breaks off goes on neither way, even if another stretch begins there.
    """
    jump = np.diff(pairs, axis=0)
    way = np.where((jump[:, 0] == 1) & (np.abs(jump[:, 1]) == 1), jump[:, 1], 0).tolist() if len(jump) else []
    found: list[int] = []
    for before, behind in zip([0, *way], [*way, 0], strict=False):
        found.append(before if found and found[-1] else behind)
    return np.array(found[: len(pairs)], dtype=np.int64)


def runs(rows: Rows) -> int:
    """Stretches of rows that follow each other."""
    return int((np.diff(rows) != 1).sum()) + 1 if len(rows) else 0


@dataclass
class Stretch:
    """Target residues that follow each other in one direction."""

    last: int
    way: int = 0


def bad_connections(targets: list[int]) -> int:
    """Neighbouring stretches that run in different directions, or of which the later does not lie further on."""
    return sum(
        a.way != b.way or (b.last <= a.last if a.way == 1 else b.last > a.last)
        for a, b in pairwise(stretch for stretch in stretches(targets) if stretch.way)
    )


def stretches(targets: list[int]) -> Iterator[Stretch]:
    """Target residues cut where they do not go on in the direction that they have."""
    open_: Stretch | None = None
    for target in targets:
        way = target - open_.last if open_ else 0
        if open_ and way in (1, -1) and open_.way in (0, way):
            open_.last, open_.way = target, way
            continue
        if open_:
            yield open_
        open_ = Stretch(target)
    if open_:
        yield open_
