"""The worst regions of a model, in words: runs of residues in the bad tail of any score."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Metric, Model
from cryoweave.report.columns import Column, label_of, places_of

MOST, MOST_FINDINGS = 10, 6
TAIL = 0.1
"""Share of the residues that count as the worst of a score."""
WINDOW = 5
"""Residues along the chain that a score is averaged over before its tail is sought: single residues are noise."""
SHORTEST = 3
LONGEST_GAP = 2
"""Residues outside of the tail that do not end a region."""
FEWEST = 20
"""Residues with a value that a score needs for a tail."""
_MOST_SPREADS = 5.0
ALIKE = 0.95
"""Share of the residues with one number that have one name in equal chains."""
SHORTEST_SHIFT = 8
"""Residues: where fewer do not fit their types, that is noise."""
_TYPE = re.compile(r"_aa(_|$)")


@dataclass(frozen=True)
class Finding:
    """One score in a region: its mean there and its median in the model."""

    name: str
    metric: Metric
    mean: float
    median: float


@dataclass(frozen=True)
class Region:
    """Residues that follow each other and score badly.

    Parameters
    ----------
    chain, first, last
        Where it is; numbers with insertion codes.
    residues
        How many.
    findings
        The scores in whose tail it lies, the worst first.
    remark
        What that may mean; empty if nothing is known.
    numbers
        First and last residue number, for the 3-D view.
    copies
        Where the same residues of equal chains score badly too, in words.
    """

    chain: str
    first: str
    last: str
    residues: int
    findings: list[Finding]
    remark: str
    numbers: tuple[int, int]
    copies: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f"residues {self.first}–{self.last} of chain {self.chain}"
        where += f" (and {', '.join(self.copies)})" if self.copies else ""
        values = ", ".join(f"{f.name} {f.mean:.3g} (median {f.median:.3g})" for f in self.findings)
        return f"{where}: {values}{'; ' + self.remark if self.remark else ''}"


@dataclass(frozen=True)
class _Run:
    """Rows in the tail of one column, the sum of their deviations, and whether they are a region of their own."""

    column: int
    rows: NDArray[np.intp]
    weight: float
    seeds: bool


_Group = tuple[NDArray[np.intp], dict[int, float]]
"""Rows, and the sum of deviations of each score that is bad there, by its column."""


def worst_regions(trace: Model, columns: list[Column]) -> list[Region]:
    """At most `MOST` regions, the worst first.

    For each score with a better and a worse end, values are taken as deviations from the median in units of the
    spread (1.4826 × median absolute deviation) and averaged over `WINDOW` residues; runs of the worst `TAIL` that
    lie at least one spread off are regions. Where the spread is 0, most residues being alike, a score has the
    standard deviation instead, and only joins the regions of others. Of regions of different scores that overlap by
    half of the shorter one, that with the largest sum of deviations gives the borders and the others' scores join it.
    Of those that overlap by less, two with a score in common become one, and else the lesser ends where the other
    begins. The same residues of equal chains are one region.

    Parameters
    ----------
    trace
        One atom a residue.
    columns
        Scores of these residues.
    """
    chains = [np.flatnonzero(trace.chain == chain) for chain in dict.fromkeys(trace.chain.tolist())]
    places = [places_of(trace, rows) for rows in chains]
    found: list[_Run] = []
    for i, column in enumerate(columns):
        deviation, seeds = _deviation(column)
        if deviation is None:
            continue
        smooth = [_smoothed(deviation[rows], at) for rows, at in zip(chains, places, strict=True)]
        values = np.concatenate(smooth)
        least = max(1.0, float(np.nanpercentile(values, 100 * (1 - TAIL))))
        for rows, at, badness in zip(chains, places, smooth, strict=True):
            for run in _runs(badness >= least, at):
                found.append(_Run(i, rows[run], float(np.nansum(badness[run])), seeds))
    return _merged(trace, columns, found)


def _deviation(column: Column) -> tuple[NDArray[np.float64] | None, bool]:
    """How much worse than the median, in spreads, None if that says nothing; and whether most residues differ."""
    better = column.metric.higher_is_better
    if better is None or np.isfinite(column.values).sum() < FEWEST:
        return None, False
    values = -column.values if better else column.values
    off = values - np.nanmedian(values)
    usual = 1.4826 * float(np.nanmedian(np.abs(off)))
    spread = usual or float(np.nanstd(off))
    return np.clip(off / spread, -_MOST_SPREADS, _MOST_SPREADS) if spread > 1e-9 else None, usual > 1e-9


def _smoothed(values: NDArray[np.float64], places: NDArray[np.intp]) -> NDArray[np.float64]:
    """Running means along the numbers of a chain, over the values that there are; NaN stays."""
    along = np.zeros((2, int(places[-1]) + 1))
    there = np.isfinite(values)
    along[:, places[there]] = [values[there], np.ones(int(there.sum()))]
    sums = np.array([np.convolve(row, np.ones(WINDOW), mode="full") for row in along])
    sums = sums[:, WINDOW // 2 : WINDOW // 2 + along.shape[1]]
    return np.where(there, sums[0, places] / np.maximum(sums[1, places], 1), np.nan)


def _runs(bad: NDArray[np.bool_], places: NDArray[np.intp]) -> list[slice]:
    """Rows from the first to the last bad residue of each run."""
    rows = np.flatnonzero(bad)
    if not len(rows):
        return []
    ends = np.flatnonzero((np.diff(rows) > LONGEST_GAP + 1) | (np.diff(places[rows]) > LONGEST_GAP + 1))
    runs = np.split(rows, ends + 1)
    return [slice(int(run[0]), int(run[-1]) + 1) for run in runs if len(run) >= SHORTEST]


def _merged(trace: Model, columns: list[Column], found: list[_Run]) -> list[Region]:
    groups: list[_Group] = []
    for run in sorted(found, key=lambda one: (not one.seeds, -one.weight, one.column)):
        for seed, weights in groups:
            if 2 * len(np.intersect1d(seed, run.rows)) >= min(len(seed), len(run.rows)):
                weights.setdefault(run.column, run.weight)
                break
        else:
            if run.seeds:
                groups.append((run.rows, {run.column: run.weight}))
    groups.sort(key=lambda group: -sum(group[1].values()))
    apart = sorted(_apart(groups), key=lambda group: -sum(group[1].values()))
    return [_region(trace, columns, rows, list(weights), copies) for (rows, weights), copies in _once(trace, apart)]


def _apart(groups: list[_Group]) -> list[_Group]:
    """Groups without common residues: of two that overlap one is made if they share a score, or the lesser is cut."""
    kept: list[_Group] = []
    for rows, weights in groups:
        while (at := _overlapping(kept, rows, weights)) is not None:
            other, theirs = kept.pop(at)
            rows = np.union1d(rows, other)
            weights = {c: weights.get(c, 0.0) + theirs.get(c, 0.0) for c in (*theirs, *weights)}
        for other, _ in kept:
            rows = np.setdiff1d(rows, other)
        rows = max(np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1), key=len)
        if len(rows) >= SHORTEST:
            kept.append((rows, dict(sorted(weights.items(), key=lambda one: -one[1]))))
    return kept


def _overlapping(kept: list[_Group], rows: NDArray[np.intp], weights: dict[int, float]) -> int | None:
    """The first group with a residue and a score in common."""
    shared = (
        i for i, (other, theirs) in enumerate(kept) if weights.keys() & theirs.keys() and np.isin(other, rows).any()
    )
    return next(shared, None)


def _once(trace: Model, groups: list[_Group]) -> list[tuple[_Group, list[str]]]:
    """At most `MOST` groups, each with where the same residues of equal chains are bad too."""
    first_of = _equal_chains(trace)
    kept: list[tuple[_Group, list[str]]] = []
    numbers: list[tuple[str, set[str]]] = []
    for group in groups:
        labels = [label_of(trace, row) for row in group[0]]
        chain = str(trace.chain[group[0][0]])
        for (_, copies), (other, theirs) in zip(kept, numbers, strict=True):
            same = other != chain and first_of[other] == first_of[chain]
            if same and 2 * len(theirs.intersection(labels)) >= min(len(theirs), len(labels)):
                copies.append(f"{labels[0]}–{labels[-1]} of {chain}")
                break
        else:
            if len(kept) < MOST:
                kept.append((group, []))
                numbers.append((chain, set(labels)))
    return kept


def _equal_chains(trace: Model) -> dict[str, str]:
    """The first chain that each one equals: most residues of the shorter are in both, nearly all with one name."""
    residues: dict[str, dict[str, str]] = {}
    for row, (chain, name) in enumerate(zip(trace.chain.tolist(), trace.residue_name.tolist(), strict=True)):
        residues.setdefault(chain, {})[label_of(trace, row)] = name
    found: dict[str, str] = {}
    for chain, names in residues.items():
        for first in dict.fromkeys(found.values()):
            common = names.keys() & residues[first].keys()
            alike = sum(names[label] == residues[first][label] for label in common)
            if 2 * len(common) >= min(len(names), len(residues[first])) and alike >= ALIKE * max(1, len(common)):
                found[chain] = first
                break
        else:
            found[chain] = chain
    return found


def _region(trace: Model, columns: list[Column], rows: NDArray[np.intp], bad: list[int], copies: list[str]) -> Region:
    found = (columns[i] for i in bad if np.isfinite(columns[i].values[rows]).any())
    values = ((c, float(np.nanmean(c.values[rows])), float(np.nanmedian(c.values))) for c in found)
    findings = [
        Finding(c.name, c.metric, mean, median)
        for c, mean, median in values
        if (mean < median if c.metric.higher_is_better else mean > median)
    ]
    numbers = trace.residue_number[rows]
    return Region(
        str(trace.chain[rows[0]]),
        label_of(trace, rows[0]),
        label_of(trace, rows[-1]),
        len(rows),
        findings[:MOST_FINDINGS],
        _remark(rows, columns, {finding.name for finding in findings}),
        (int(numbers.min()), int(numbers.max())),
        tuple(copies),
    )


def _remark(rows: NDArray[np.intp], columns: list[Column], bad: set[str]) -> str:
    """What the scores that are bad there may mean."""
    known = {c.name: v for c in columns if np.isfinite(v := c.values[rows]).any()}
    means = {name: float(np.nanmean(values)) for name, values in known.items()}
    shift = float(np.nanmedian(known["register_shift"])) if "register_shift" in known else 0.0
    remarks = []
    if abs(shift) >= 1:
        remarks.append(f"the register is shifted by {shift:+.0f} against the reference")
    elif len(rows) >= SHORTEST_SHIFT and any(_TYPE.search(name) and means[name] < 0 for name in bad):
        remarks.append("the density supports other residue types: likely a register shift")
    inclusion = next((c.values for c in columns if c.name == "inclusion"), np.zeros(1))
    if "inclusion" in bad and means["inclusion"] < 0.5 <= np.nanmean(inclusion):  # else the contour is to blame
        remarks.append("more than half of it lies outside of the contour")
    return "; ".join(remarks)
