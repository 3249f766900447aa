"""Whether a B column holds confidences: what is written into mmCIF about it, and what is read from there."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Metric, Model, ScoreTable

if TYPE_CHECKING:
    import gemmi

CONFIDENCE = "b_confidence"
"""Name of the metric that repeats our own confidences."""
METRIC = Metric("how sure the method is of this residue: mean of its B column, which holds no B factors", "", True)
ROUNDING = 0.02
"""What B column and metric may differ by: both are written with two decimals at least."""
CONFIDENT_B = 20.0
"""Å²; B factor of atoms whose B column holds a confidence. Figures hardly depend on it: from 0 to 60 Å², CC_mask of the
demo's model (3.2 Å) is 0.715 to 0.735, but 0.632 with its confidences, for the surest atoms were then blurred most."""
SCALES = (1.0, 100.0)
"""A metric from 0 to 1 may stand as percent in the B column."""

Key = tuple[str, str]


def b_confidences(model: Model) -> ScoreTable | None:
    """The B column of each residue where it holds confidences, as a score; None if it does nowhere."""
    if not model.b_is_confidence.any():
        return None
    atoms = model.select(model.b_is_confidence)
    rows: dict[tuple[str, int, str, str], int] = {}
    columns = (atoms.chain, atoms.residue_number, atoms.insertion_code, atoms.residue_name)
    keys = zip(*(column.tolist() for column in columns), strict=True)
    row = np.array([rows.setdefault(key, len(rows)) for key in keys])
    first = np.unique(row, return_index=True)[1]
    mean = np.bincount(row, atoms.b_factor.astype(np.float64)) / np.bincount(row)
    return ScoreTable(
        chain=atoms.chain[first],
        residue_number=atoms.residue_number[first],
        insertion_code=atoms.insertion_code[first],
        residue_name=atoms.residue_name[first],
        residues={CONFIDENCE: mean},
        metrics={CONFIDENCE: METRIC},
    )


def confident_atoms(block: "gemmi.cif.Block", model: Model) -> NDArray[np.bool_]:
    """Which atoms have a confidence in the B column, as the file's quality metrics tell.

    They have where a metric by residue (``_ma_qa_metric_local`` of ModelCIF, as AlphaFold and others write it)
    repeats the B column: in every residue that it has a value for, it lies within the range of the atoms' B. If each
    residue of the polymers has a value, that holds for ligands and water too.

    Parameters
    ----------
    block
        Of an mmCIF file.
    model
        A model of it.

    Returns
    -------
    Shape ``(atoms,)``.
    """
    none = np.zeros(len(model), np.bool_)
    metrics = _metrics(block)
    if not metrics:
        return none
    low, high, author = _b_columns(block)
    for name, values in metrics.items():
        known = [key for key in values if key in low]
        bounds = np.array([(values[key], low[key], high[key]) for key in known]).reshape(-1, 3).T
        certain = name == CONFIDENCE or len(set(bounds[0].tolist())) > 1  # equal zeros on both sides say nothing
        if known and certain and any(_repeats(bounds[0] * scale, *bounds[1:]) for scale in SCALES):
            if all(label in ".?" or (chain, label) in values for chain, label in low):
                return ~none
            residues = {residue for key in known for residue in author[key]}
            numbers = np.char.add(model.residue_number.astype(np.str_), model.insertion_code).tolist()
            atoms = zip(model.chain.tolist(), numbers, strict=True)
            return np.array([atom in residues for atom in atoms], dtype=np.bool_)
    return none


def _repeats(values: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> bool:
    """Whether all values lie in their ranges."""
    return bool(((values >= low - ROUNDING) & (values <= high + ROUNDING)).all())


def _metrics(block: "gemmi.cif.Block") -> dict[str, dict[Key, float]]:
    """Values by residue of each local metric, by its name."""
    from gemmi import cif

    tags = ["metric_id", "label_asym_id", "label_seq_id", "metric_value"]
    names = {row.str(0): row.str(1) for row in block.find("_ma_qa_metric.", ["id", "name"])}
    found: dict[str, dict[Key, float]] = {}
    for row in block.find("_ma_qa_metric_local.", tags):
        value = cif.as_number(row[3])
        if np.isfinite(value):
            number = row.str(0)
            found.setdefault(names.get(number, number), {})[row.str(1), row.str(2)] = value
    return found


def _b_columns(block: "gemmi.cif.Block") -> tuple[dict[Key, float], dict[Key, float], dict[Key, set[Key]]]:
    """Lowest and highest B of each residue, and the names that authors give to it."""
    from gemmi import cif

    tags = ["label_asym_id", "label_seq_id", "B_iso_or_equiv", "?auth_asym_id", "?auth_seq_id", "?pdbx_PDB_ins_code"]
    low: dict[Key, float] = {}
    high: dict[Key, float] = {}
    author: dict[Key, set[Key]] = {}
    for row in block.find("_atom_site.", tags):
        key, value = (row.str(0), row.str(1)), cif.as_number(row[2])
        if not np.isfinite(value):
            continue
        low[key], high[key] = min(value, low.get(key, value)), max(value, high.get(key, value))
        chain, number, code = (row.str(i) if row.has(i) else "" for i in (3, 4, 5))
        author.setdefault(key, set()).add((chain or key[0], (number or key[1]) + code))
    return low, high, author
