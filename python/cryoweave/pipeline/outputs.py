"""The files of a run that a person opens: model, scores, scripts for viewers, citations."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import rmtree

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Curve, Metric, Model, ScoreTable, SequenceSet

MODEL, SCORES, SCORES_TABLE, CITATIONS, REPORT = (
    "model.cif",
    "scores.json",
    "scores.tsv",
    "citations.bib",
    "report.html",
)
_HEAD = """\
% Each entry names a work by its DOI only: authors, title and year are not in it.
% Reference managers fill them in by the DOI (Zotero: add by identifier; JabRef: get BibTeX from DOI).

"""
CHIMERAX, COOT, ATTRIBUTES = "view.cxc", "view_coot.py", "attributes"
UNFINISHED = "unfinished.html"
"""The report of a run that gave no result, in a folder whose files are those of an earlier one."""
_STAGED = ".outputs.tmp"


def remove_outputs(folder: Path) -> None:
    """Remove what an earlier run in the folder left, so that nothing there belongs to another result."""
    for name in (MODEL, SCORES, SCORES_TABLE, CITATIONS, REPORT, CHIMERAX, COOT, UNFINISHED):
        (folder / name).unlink(missing_ok=True)
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
        write_scores(folder, scores)
        outputs |= {"scores": SCORES, "scores_table": SCORES_TABLE}
    if dois:
        (folder / CITATIONS).write_text(_HEAD + bibtex(dois), encoding="utf-8")
        outputs["citations"] = CITATIONS
    return outputs


def write_scripts(
    folder: Path,
    model: Model,
    scores: ScoreTable | None,
    *,
    map_path: Path,
    reference_path: Path | None,
    level: float | None,
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

    Returns
    -------
    Name in the folder of each file by what it is.
    """
    from cryoweave.io.viewing import write_chimerax, write_coot

    write_chimerax(
        folder / CHIMERAX,
        map_path,
        folder / MODEL,
        reference_path=reference_path,
        level=level,
        attributes=_attributes(folder, scores),
        trace=len(model.trace_atoms()) == len(model),
    )
    write_coot(folder / COOT, map_path, folder / MODEL, reference_path=reference_path, level=level)
    return {"chimerax": CHIMERAX, "coot": COOT}


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
    renamed = [_unique(step, table, [other for _, other in tables[i + 1 :]]) for i, (step, table) in enumerate(tables)]
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


def _unique(step: str, table: ScoreTable, later: Sequence[ScoreTable]) -> ScoreTable:
    taken = {name for other in later for name in (*other.residues, *other.whole, *other.curves)}
    new = {name: f"{step}.{name}" if name in taken else name for name in {*table.metrics, *table.curves}}
    return replace(
        table,
        residues={new[name]: values for name, values in table.residues.items()},
        whole={new[name]: value for name, value in table.whole.items()},
        metrics={new[name]: metric for name, metric in table.metrics.items()},
        curves={new[name]: curve for name, curve in table.curves.items()},
    )
