"""The files of a run that a person opens: model, scores, scripts for viewers, citations."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import (
    Curve,
    Metric,
    Model,
    ModelSet,
    PointCloud,
    Poses,
    ScoreTable,
    SequenceSet,
    Threading,
    Traces,
)
from cryoweave.io.poses import FITTED, TABLE, write_pose_table
from cryoweave.io.tables import write_table
from cryoweave.io.viewing import write_pseudo_atoms

MODEL, RESIDUES, SCORES, SCORES_TABLE, CITATIONS, REPORT = (
    "model.cif",
    "residues.tsv",
    "scores.json",
    "scores.tsv",
    "citations.bib",
    "report.html",
)
_HEAD = """\
% Each entry names a work by its DOI only: authors, title and year are not in it.
% Reference managers fill them in by the DOI (Zotero: add by identifier; JabRef: get BibTeX from DOI).

"""
POINTS = "points.cif"
"""What a run found that built no model: points or traces, as atoms."""
CHIMERAX, PYMOL, COOT, ATTRIBUTES = "view.cxc", "view.pml", "view_coot.py", "attributes"
MOST_FITTED = 20
"""Poses beyond these are in the table only."""
SCENE = "view.mvsx"
"""Map, model and colours for Mol*: what the report shows."""
COMPARED = "compared_with.cif"
"""The reference as the copies by symmetry that a model has; by no name that people give files of their own."""
UNFINISHED = "unfinished.html"
"""The report of a run that gave no result, in a folder whose files are those of an earlier one."""
FILES = (
    MODEL,
    POINTS,
    RESIDUES,
    SCORES,
    SCORES_TABLE,
    CITATIONS,
    REPORT,
    SCENE,
    TABLE,
    CHIMERAX,
    PYMOL,
    COOT,
    COMPARED,
    UNFINISHED,
)
"""All of them but the models of poses; besides there is the folder `ATTRIBUTES`."""
DIGITS = 7
"""Significant digits in ``scores.tsv``; a stage's own folder has all, to be loaded bit by bit."""
_STAGED = ".outputs.tmp"


def remove_outputs(folder: Path) -> None:
    """Remove what an earlier run in the folder left, so that nothing there belongs to another result."""
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    for path in folder.glob(FITTED.replace("{:02d}", "[0-9][0-9]")):
        path.unlink()
    rmtree(folder / ATTRIBUTES, ignore_errors=True)


@contextmanager
def replaced_outputs(folder: Path) -> Iterator[Path]:
    """An empty folder for new outputs; they take the place of all that are there when the block ends well."""
    staged = folder / _STAGED
    rmtree(staged, ignore_errors=True)
    staged.mkdir()
    try:
        yield staged
        remove_outputs(folder)
        for path in staged.iterdir():
            path.replace(folder / path.name)
    finally:
        rmtree(staged, ignore_errors=True)


def write_outputs(
    folder: Path,
    model: Model | None,
    scores: ScoreTable | None,
    *,
    sequences: SequenceSet | None,
    dois: Mapping[str, str],
    steps: Sequence[Mapping[str, Any]] = (),
) -> dict[str, str]:
    """Write model, scores and citations, as far as there are any.

    Parameters
    ----------
    folder
        The run folder.
    model, scores
        Result of the run, if it has one.
    sequences
        The sequences of the run, which the model's file names.
    dois
        What each DOI is cited for.
    steps
        Entries of the record; those with ``scores`` tell what gave them, and with which parameters.

    Returns
    -------
    Name in the folder of each file by what it is.
    """
    from cryoweave.io.model_writing import write_model
    from cryoweave.io.scores import write_scores

    outputs: dict[str, str] = {}
    if model is not None:
        write_model(folder / MODEL, model, sequences=sequences, scores=scores)
        outputs["model"] = MODEL
    if scores is not None:
        write_scores(folder, scores, _origins(steps), digits=DIGITS)
        outputs |= {"scores": SCORES, "scores_table": SCORES_TABLE}
    if dois:
        (folder / CITATIONS).write_text(_HEAD + bibtex(dois), encoding="utf-8")
        outputs["citations"] = CITATIONS
    return outputs


def write_residues(folder: Path, model: Model, threading: Threading) -> dict[str, str]:
    """Write where each residue of the model comes from, and how sure its method was of it.

    Parameters
    ----------
    folder
        The run folder.
    model
        What was built.
    threading
        Of which it was built; nothing is written if that is not so.

    Returns
    -------
    Name in the folder of the file by what it is.
    """
    rows = threading.rows_of(0)
    ids, origins = threading.chain_ids(), threading.origins()[rows]
    placed = zip(threading.chain[rows], threading.residue[rows], threading.confidence[rows], origins, strict=True)
    known = {(ids[chain], int(residue) + 1): (confidence, origin) for chain, residue, confidence, origin in placed}
    trace = model.trace_atoms()
    found = [known.get(key) for key in zip(trace.chain.tolist(), trace.residue_number.tolist(), strict=True)]
    if None in found:
        return {}
    columns = {
        "chain": trace.chain,
        "residue_number": trace.residue_number,
        "residue_name": trace.residue_name,
        "confidence": np.array([one[0] for one in found if one], np.float32),
        "origin": np.array([one[1] for one in found if one], np.str_),
    }
    write_table(folder / RESIDUES, columns)
    return {"residues": RESIDUES}


def write_points(folder: Path, points: PointCloud | Traces) -> dict[str, str]:
    """Write points, or traces as chains of Cα, for viewers.

    Returns
    -------
    Name in the folder of the file by what it is.
    """
    if not len(points.xyz):
        return {}
    write_pseudo_atoms(
        folder / POINTS, points.xyz, points.weight, points.fragment if isinstance(points, Traces) else None
    )
    return {"points": POINTS}


def write_poses(folder: Path, poses: Poses, models: ModelSet) -> dict[str, str]:
    """Write the table of poses, and the models that the best of them place, in the map's frame.

    Returns
    -------
    Name in the folder of each file by what it is; of the models the first.
    """
    from cryoweave.io.model_writing import write_model

    write_pose_table(folder, poses, decimals=DIGITS)
    for at in range(min(len(poses), MOST_FITTED)):
        model = models.of(str(poses.model[at]))
        write_model(folder / FITTED.format(at + 1), replace(model, xyz=poses.moved(model.xyz, at)))
    return {"poses": TABLE, **({"fit": FITTED.format(1)} if len(poses) else {})}


def _origins(steps: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What gave the scores, for ``scores.json``."""
    kept = ("stage", "package", "version", "params", "scores")
    return {step["step"]: {key: step[key] for key in kept} for step in steps if step.get("scores")}


def write_scripts(
    folder: Path,
    model: Model,
    scores: ScoreTable | None,
    *,
    map_path: Path | None,
    reference_path: Path | None,
    level: float | None,
    by_score: bool = False,
) -> dict[str, str]:
    """Write the scripts that open the model in its map, coloured by its scores.

    Parameters
    ----------
    folder, model, scores
        The run folder, and what `write_outputs` wrote there.
    map_path, reference_path
        What they open besides.
    level
        Contour of the map.
    by_score
        Colour by the first score, not by the B column.

    Returns
    -------
    Name in the folder of each file by what it is.
    """
    from cryoweave.io.pymol import write_pymol
    from cryoweave.io.viewing import write_chimerax, write_coot
    from cryoweave.report.columns import columns_of

    trace = model.trace_atoms()
    known = scores.residues if scores is not None else {}
    stops = {column.name: column.scale.stops() for column in columns_of(trace, scores) if column.name in known}
    where: dict[str, Any] = {"map_path": map_path, "model_path": folder / MODEL, "reference_path": reference_path}
    where["level"] = level
    look: dict[str, Any] = {"stops": stops, "first": next(iter(stops), "") if by_score else ""}
    look["trace"] = len(trace) == len(model)
    write_chimerax(folder / CHIMERAX, **where, **look, attributes=_attributes(folder, scores))
    write_pymol(folder / PYMOL, **where, **look, table_path=folder / SCORES_TABLE if scores is not None else None)
    write_coot(folder / COOT, **where)
    return {"chimerax": CHIMERAX, "pymol": PYMOL, "coot": COOT}


def write_points_script(
    folder: Path, *, map_path: Path | None, reference_path: Path | None, level: float | None
) -> dict[str, str]:
    """Write the script that opens in the map what `write_points` wrote; else as `write_scripts`."""
    from cryoweave.io.viewing import write_chimerax

    write_chimerax(folder / CHIMERAX, map_path, folder / POINTS, reference_path=reference_path, level=level, trace=True)
    return {"chimerax": CHIMERAX}


def _attributes(folder: Path, scores: ScoreTable | None) -> dict[str, str | Path]:
    from cryoweave.io.viewing import attribute_name, write_defattr

    files: dict[str, str | Path] = {}
    if scores is None:
        return files
    for metric in scores.residues:
        (folder / ATTRIBUTES).mkdir(exist_ok=True)
        files[metric] = folder / ATTRIBUTES / f"{attribute_name(metric)}.defattr"
        write_defattr(files[metric], scores, metric)
    return files


def bibtex(dois: Mapping[str, str]) -> str:
    """BibTeX entries that name works by their DOI; reference managers fetch the rest."""
    entries = []
    for doi, reason in dois.items():
        key = "".join(letter if letter.isalnum() else "_" for letter in doi)
        entries.append(
            f"@misc{{{key},\n  doi = {{{doi}}},\n  url = {{https://doi.org/{doi}}},\n  note = {{{reason}}}\n}}\n"
        )
    return "\n".join(entries)


def merge_scores(tables: Sequence[tuple[str, ScoreTable]]) -> ScoreTable | None:
    """One table of all: residues joined by their identity, in the order in which they first appear.

    Parameters
    ----------
    tables
        Each step's name and table. Where two have a score of one name, that of the last step keeps it and the others'
        become ``step.name``.
    """
    if not tables:
        return None
    names = score_names(tables)
    renamed = [_renamed(table, new) for (_, table), new in zip(tables, names, strict=True)]
    rows: dict[tuple[str, int, str, str], int] = {}
    for table in renamed:
        for identity in _identities(table):
            rows.setdefault(identity, len(rows))
    columns: dict[str, NDArray[np.float64]] = {}
    whole: dict[str, float] = {}
    metrics: dict[str, Metric] = {}
    curves: dict[str, Curve] = {}
    for table in renamed:
        places = np.array([rows[identity] for identity in _identities(table)], dtype=np.intp)
        for name, values in table.residues.items():
            columns[name] = np.full(len(rows), np.nan)
            columns[name][places] = values
        whole |= table.whole
        metrics |= table.metrics
        curves |= table.curves
    chain, number, insertion, residue = zip(*rows, strict=True) if rows else ((), (), (), ())
    return ScoreTable(
        np.array(chain, np.str_),
        np.array(number, np.int32),
        np.array(insertion, np.str_),
        np.array(residue, np.str_),
        columns,
        whole,
        metrics,
        curves,
    )


def _identities(table: ScoreTable) -> list[tuple[str, int, str, str]]:
    columns = (table.chain, table.residue_number, table.insertion_code, table.residue_name)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def score_names(tables: Sequence[tuple[str, ScoreTable]]) -> list[dict[str, str]]:
    """For each table, what `merge_scores` calls its scores and curves, by their own names."""
    found = []
    for i, (step, table) in enumerate(tables):
        taken = {name for _, other in tables[i + 1 :] for name in (*other.residues, *other.whole, *other.curves)}
        found.append({name: f"{step}.{name}" if name in taken else name for name in (*table.metrics, *table.curves)})
    return found


def _renamed(table: ScoreTable, new: Mapping[str, str]) -> ScoreTable:
    return replace(
        table,
        residues={new[name]: values for name, values in table.residues.items()},
        whole={new[name]: value for name, value in table.whole.items()},
        metrics={new[name]: metric for name, metric in table.metrics.items()},
        curves={new[name]: curve for name, curve in table.curves.items()},
    )
