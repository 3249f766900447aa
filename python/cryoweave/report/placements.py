"""Poses of a run: the traces of what they place, and which of them the run's model is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Model, Poses
from cryoweave.errors import InputError
from cryoweave.io import store
from cryoweave.io.models import model_name, read_model
from cryoweave.io.poses import FITTED, TABLE

SAME = 0.05
"""Å (RMSD); coordinates in files are rounded to a thousandth."""
NEAR = 5.0
"""Å (RMSD) by which a placed model may have been moved by refinement and still count as that pose."""
MOST_READ = 20
"""Where there is no model, models of poses beyond these are not read."""
LEAST = 3
"""Residues from which on a model is told by its sequence."""


@dataclass(frozen=True, eq=False)
class Placements:
    """Poses with what they place.

    Parameters
    ----------
    poses
        Best first.
    traces
        By name of the model, where it was before it was placed; those that could be read.
    placed
        By pose that is in the run's model, the RMSD in Å to it: 0 if nothing moved it since.
    copies
        Other copies of the models in the run's model: by symmetry, or far from every pose.
    """

    poses: Poses
    traces: Mapping[str, Model]
    placed: Mapping[int, float]
    copies: int


def read_placements(folder: Path, record: Mapping[str, Any], model: Model | None) -> Placements | None:
    """The poses in a run folder; None if there are none.

    Parameters
    ----------
    folder, record
        The run folder and its ``record.json``.
    model
        The run's model, in which the poses that were placed are looked for.
    """
    if not (folder / TABLE).exists():
        return None
    poses = store.load(Poses, folder)
    wanted = poses.model if model is not None else poses.model[:MOST_READ]
    traces = _traces(folder, record, poses, list(dict.fromkeys(wanted.tolist())))
    placed, copies = placed_in(model.trace_atoms(), poses, traces) if model is not None else ({}, 0)
    return Placements(poses, traces, placed, copies)


def _traces(folder: Path, record: Mapping[str, Any], poses: Poses, names: list[str]) -> dict[str, Model]:
    """From the models that the best poses placed, moved back; of others from the files that the run was given."""
    given = _given(record)
    found = {}
    for name in names:
        first = int(np.flatnonzero(poses.model == name)[0])
        fitted, path = folder / FITTED.format(first + 1), given.get(name)
        try:
            if fitted.exists():
                trace = read_model(fitted).trace_atoms()
                found[name] = replace(trace, xyz=(trace.xyz - poses.translation[first]) @ poses.rotation[first])
            elif path is not None:
                found[name] = read_model(path).trace_atoms()
        except InputError:  # then its poses stand in the table only
            continue
    return {name: trace for name, trace in found.items() if len(trace) >= LEAST}


def _given(record: Mapping[str, Any]) -> dict[str, Path]:
    """Files of the models by name, as far as no two have the same."""
    first = record.get("inputs", {}).get("models", {})
    listed = [Path(entry["path"]) for entry in (first, *first.get("more", [])) if entry.get("path")]
    names = [model_name(path) for path in listed]
    return {name: path for name, path in zip(names, listed, strict=True) if names.count(name) == 1}


def placed_in(trace: Model, poses: Poses, traces: Mapping[str, Model]) -> tuple[dict[int, float], int]:
    """Which poses a model is made of.

    Parameters
    ----------
    trace
        Of the model, one atom a residue.
    poses, traces
        As in `Placements`.

    Returns
    -------
    dict
        RMSD in Å by pose.
    int
        Copies in the model that lie near no pose.
    """
    found: dict[int, float] = {}
    blocks: dict[int, tuple[int, float]] = {}
    for name, part in traces.items():
        mine = np.flatnonzero(poses.model == name)
        for start in _starts(trace, part):
            there = trace.xyz[start : start + len(part)]
            away = [float(np.sqrt(((poses.moved(part.xyz, int(at)) - there) ** 2).sum(axis=1).mean())) for at in mine]
            nearest = int(np.argmin(away))
            if start not in blocks or away[nearest] < blocks[start][1]:
                blocks[start] = int(mine[nearest]), away[nearest]
    for at, distance in blocks.values():
        if distance <= NEAR:
            found[at] = min(distance if distance > SAME else 0.0, found.get(at, np.inf))
    return found, sum(distance > NEAR for _, distance in blocks.values())


def _starts(trace: Model, part: Model) -> NDArray[np.intp]:
    """Where in a trace the residues of another follow one another."""
    last = len(trace) - len(part)
    if last < 0:
        return np.zeros(0, np.intp)
    same = np.ones(last + 1, dtype=bool)
    for i in range(len(part)):
        here = slice(i, last + 1 + i)
        same &= trace.residue_number[here] == part.residue_number[i]
        same &= trace.residue_name[here] == part.residue_name[i]
    return np.flatnonzero(same)
