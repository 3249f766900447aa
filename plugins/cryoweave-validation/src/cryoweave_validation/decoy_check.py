"""How well scores tell decoys from the model that they were made of."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from cryoweave.data import ScoreTable

Key = tuple[str, int, str]


@dataclass(frozen=True)
class Row:
    """How well one score tells one kind of decoy, or one decoy, from the model.

    Parameters
    ----------
    level
        ``residue`` or ``model``.
    score
        Its name.
    kind
        Of decoy.
    decoy
        Name of the decoy; empty for all of the kind together.
    auc
        Chance that the score finds the model's value better than the decoy's, ties counted half: 1 tells them always
        apart, 0.5 not at all, below 0.5 it prefers the decoy. NaN if there is no value to compare.
    values
        Number of decoys' values that it rests on: residues, or decoys.
    """

    level: str
    score: str
    kind: str
    decoy: str
    auc: float
    values: int


@dataclass(frozen=True)
class Judged:
    """Scores of one decoy, and which residues are wrong in it.

    ``right`` are those of the model on the decoy's residues, where it has fewer than the model.
    """

    kind: str
    name: str
    scores: ScoreTable
    changed: Collection[Key]
    right: ScoreTable | None = None


def auc(right: NDArray[np.float64], wrong: NDArray[np.float64], *, higher_is_better: bool) -> float:
    """Area under the receiver operating characteristic: share of pairs in which ``right`` is better, ties half.

    By the rank sum of Mann and Whitney (1947), doi 10.1214/aoms/1177730491. NaN if either is empty.
    """
    if not len(right) or not len(wrong):
        return np.nan
    ranks = rankdata(np.concatenate((right, wrong)))
    share = (ranks[: len(right)].sum() - len(right) * (len(right) + 1) / 2) / (len(right) * len(wrong))
    return float(share if higher_is_better else 1 - share)


def judge(model: ScoreTable, decoys: Sequence[Judged]) -> list[Row]:
    """The rows of all scores of which it is known whether higher is better.

    Parameters
    ----------
    model
        Scores of the model.
    decoys
        Those of its decoys. Per-residue scores are compared over the changed residues, against the same residues of
        the model, where both have a value; those of the whole one by one against that of the model, which has the
        decoy's residues.
    """
    metrics = {name: metric.higher_is_better for name, metric in model.metrics.items()}
    rows: list[Row] = []
    for level, names in (("residue", model.residues), ("model", model.whole)):
        for name in names:
            better = metrics[name]
            if better is not None:
                pairs = [(one, *_values(level, name, one.right or model, one)) for one in decoys]
                rows += _rows(level, name, better, pairs)
    return rows


def _rows(
    level: str, name: str, better: bool, pairs: Sequence[tuple[Judged, NDArray[np.float64], NDArray[np.float64]]]
) -> Iterator[Row]:
    for kind in dict.fromkeys(one.kind for one, _, _ in pairs):
        ours = [pair for pair in pairs if pair[0].kind == kind]
        each = [
            Row(level, name, kind, one.name, auc(right, wrong, higher_is_better=better), len(wrong))
            for one, right, wrong in ours
        ]
        right, wrong = (np.concatenate([pair[i] for pair in ours]) for i in (1, 2))
        known = [row.auc for row in each if row.values]
        whole = float(np.mean(known)) if known else np.nan  # each decoy against its own right one
        found = whole if level == "model" else auc(right, wrong, higher_is_better=better)
        yield Row(level, name, kind, "", found, len(wrong))
        yield from each


def _values(level: str, name: str, model: ScoreTable, decoy: Judged) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What the model and the decoy have, where both have a value."""
    if level == "model":
        right, wrong = np.array([model.whole[name]]), np.array([decoy.scores.whole.get(name, np.nan)])
    else:
        before, after = _column(name, model), _column(name, decoy.scores)
        keys = [key for key in before if key in decoy.changed and key in after]
        right, wrong = (np.array([values[key] for key in keys], dtype=np.float64) for values in (before, after))
    both = ~np.isnan(right) & ~np.isnan(wrong)
    return right[both], wrong[both]


def _column(name: str, scores: ScoreTable) -> Mapping[Key, float]:
    if name not in scores.residues:
        return {}
    columns = (scores.chain, scores.residue_number, scores.insertion_code, scores.residues[name])
    rows = zip(*(column.tolist() for column in columns), strict=True)
    found: dict[Key, float] = {}
    for chain, number, insertion, value in rows:
        if value == value:  # no NaN
            found.setdefault((chain, number, insertion), value)
    return found


def table(rows: Iterable[Row], level: str) -> tuple[list[str], list[list[str]]]:
    """Kinds of decoy as heads, how many there are of each, and one line a score: its name, then its figure by kind."""
    rows = [row for row in rows if row.level == level]
    ours = [row for row in rows if not row.decoy]
    kinds = list(dict.fromkeys(row.kind for row in ours))
    decoys = {(row.kind, row.decoy) for row in rows if row.decoy}
    heads = [f"{kind} ({sum(one == kind for one, _ in decoys)})" for kind in kinds]
    found = {(row.score, row.kind): row.auc for row in ours}
    names = dict.fromkeys(row.score for row in ours)
    lines = [[name, *(figure(found.get((name, kind), np.nan)) for kind in kinds)] for name in names]
    return heads, [line for line in lines if any(cell != "-" for cell in line[1:])]


def figure(value: float) -> str:
    """Two decimals; a dash where there is no value."""
    return "-" if value != value else f"{value:.2f}"


def to_tsv(rows: Iterable[Row]) -> str:
    """All rows, with a head; ``all`` as the decoy's name where those of a kind are taken together."""
    lines = ["level\tscore\tkind\tdecoy\tauc\tvalues"]
    for row in rows:
        value = "" if row.auc != row.auc else f"{row.auc:.4f}"
        lines.append("\t".join((row.level, row.score, row.kind, row.decoy or "all", value, str(row.values))))
    return "\n".join(lines) + "\n"
