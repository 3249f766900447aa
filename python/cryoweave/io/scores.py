"""Score tables: one TSV row a residue, and a JSON file with what the numbers mean."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Curve, Metric, ScoreTable
from cryoweave.errors import InputError
from cryoweave.io.tables import header_of, read_json, read_table, write_json, write_table

SCHEMA = "cryoweave-scores/2"
_IDENTITY = {"auth_asym_id": np.str_, "auth_seq_id": np.int32, "ins_code": np.str_, "comp_id": np.str_}


def write_scores(
    folder: str | Path,
    scores: ScoreTable,
    stages: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    digits: int | None = None,
) -> None:
    """Write ``scores.tsv`` (residues) and ``scores.json`` (the whole model, definitions, units, curves) into a folder.

    Parameters
    ----------
    folder, scores
        Where, and what.
    stages
        What gave the scores: by step its stage, package, version, parameters and the names of its scores. Goes into
        ``scores.json`` as it is.
    digits
        Significant digits of ``scores.tsv``, for people; all if it is not given.
    """
    folder = Path(folder)
    clash = sorted(set(scores.residues) & set(_IDENTITY))
    if clash:
        raise InputError(f"no score may be named {clash[0]!r}", "choose another name")
    identity = (scores.chain, scores.residue_number, scores.insertion_code, scores.residue_name)
    columns = {name: _rounded(column, digits) for name, column in scores.residues.items()}
    write_table(folder / "scores.tsv", {**dict(zip(_IDENTITY, identity, strict=True)), **columns})
    metrics = {
        name: {
            "definition": metric.definition,
            "unit": metric.unit,
            "higher_is_better": metric.higher_is_better,
            "per_residue": name in scores.residues,
        }
        for name, metric in scores.metrics.items()
    }
    curves = {
        name: {
            "definition": curve.definition,
            "x_label": curve.x_label,
            "y_label": curve.y_label,
            "x": curve.x.tolist(),
            "y": curve.y.tolist(),
        }
        for name, curve in scores.curves.items()
    }
    record = {"schema": SCHEMA, "metrics": metrics, "whole": dict(scores.whole), "curves": curves}
    if stages:
        record["stages"] = {step: dict(entry) for step, entry in stages.items()}
    write_json(folder / "scores.json", record)


def _rounded(column: NDArray[np.float64], digits: int | None) -> NDArray[np.float64]:
    """Numbers that are written with at most so many digits."""
    if digits is None:
        return column
    return np.array([float(f"{value:.{digits}g}") for value in column.tolist()], dtype=np.float64)


def read_scores(folder: str | Path) -> ScoreTable:
    """Read what `write_scores` wrote.

    Raises
    ------
    InputError
        If a file is missing, damaged or of another schema.
    """
    folder = Path(folder)
    table, record = folder / "scores.tsv", folder / "scores.json"
    value = _record(record)
    names = [name for name in header_of(table) if name not in _IDENTITY]
    columns = read_table(table, {**_IDENTITY, **dict.fromkeys(names, np.float64)})
    whole, metrics = _whole(record, value)
    return ScoreTable(
        chain=columns["auth_asym_id"],
        residue_number=columns["auth_seq_id"],
        insertion_code=columns["ins_code"],
        residue_name=columns["comp_id"],
        residues={name: columns[name] for name in names},
        whole=whole,
        metrics=metrics,
        curves={name: _curve(record, name, entry) for name, entry in value["curves"].items()},
    )


def read_whole(folder: str | Path) -> tuple[dict[str, float], dict[str, Metric]]:
    """Scores of the whole model and what they mean, without those of its residues.

    Raises
    ------
    InputError
        If the file is missing, damaged or of another schema.
    """
    record = Path(folder) / "scores.json"
    whole, metrics = _whole(record, _record(record))
    return whole, {name: metrics[name] for name in whole if name in metrics}


def _record(path: Path) -> dict[str, Any]:
    value = read_json(path, {"schema": str, "metrics": dict, "whole": dict, "curves": dict})
    if value["schema"] != SCHEMA:
        raise InputError(f"{path} has the schema {value['schema']!r}, wanted {SCHEMA!r}", "use the same version")
    return dict(value)


def _whole(path: Path, value: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, Metric]]:
    metrics = {name: _metric(path, name, entry) for name, entry in value["metrics"].items()}
    whole = {name: np.nan if number is None else number for name, number in value["whole"].items()}
    if not all(isinstance(number, int | float) for number in whole.values()):
        raise InputError(f"{path}: a value under 'whole' is no number", "make the file again")
    return whole, metrics


def _metric(path: Path, name: str, entry: Any) -> Metric:
    known = entry if isinstance(entry, dict) else {}
    definition, unit, better = (known.get(key) for key in ("definition", "unit", "higher_is_better"))
    if not isinstance(definition, str) or not isinstance(unit, str) or not isinstance(better, bool | None):
        raise InputError(f"{path}: metric {name!r} is not well defined", "make the file again")
    return Metric(definition, unit, better)


def _curve(path: Path, name: str, entry: Any) -> Curve:
    known = entry if isinstance(entry, dict) else {}
    texts = [known.get(key) for key in ("x_label", "y_label", "definition")]
    try:
        x, y = (np.array(known.get(axis), dtype=np.float64) for axis in ("x", "y"))
        if all(isinstance(text, str) for text in texts):
            return Curve(x, y, *(str(text) for text in texts))
    except (TypeError, ValueError, InputError):
        pass
    raise InputError(f"{path}: curve {name!r} is not well defined", "make the file again")
