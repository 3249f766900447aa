"""What is judged: a model from a file or from the folder of a run, and what to know of how it was read."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Model
from cryoweave.errors import InputError
from cryoweave.pipeline.record import read_record

CONFIDENCE = "confidence"
"""Of a run's record: the mean and so on, where the B column of its model holds confidences."""


@dataclass(frozen=True)
class Subject:
    """A model that is to be judged.

    Parameters
    ----------
    model
        The model.
    path
        Its file.
    notes
        What a reader should know of how the file was read, a sentence each.
    """

    model: Model
    path: Path
    notes: tuple[str, ...] = ()


def read_subject(path: Path) -> Subject:
    """Read the model that is to be judged; of several in a file the first.

    Parameters
    ----------
    path
        A PDB or mmCIF file, or the folder of a run, which stands for its ``model.cif``.

    Raises
    ------
    InputError
        If there is no model, or it cannot be read.
    """
    from cryoweave.io.model_writing import without_blank_chain
    from cryoweave.io.models import read_models

    if path.is_dir():
        if not (path / "model.cif").is_file():
            raise InputError(
                f"the folder {path} holds no model.cif", "give the path of a model, or the folder of a run"
            )
        path = path / "model.cif"
    model, *others = read_models(path)
    record = read_record(path.parent) if path.name == "model.cif" else None
    if record and record.get(CONFIDENCE):  # the file itself does not say so if an earlier version wrote it
        model = replace(model, b_is_confidence=np.ones(len(model), np.bool_))
    notes = [f"{path.name} holds {len(others) + 1} models: the first is judged"] if others else []
    named, _ = without_blank_chain(model, None)
    if (model.chain == "").any():
        notes.append(f"the chain without an id is called {named.chain[model.chain == ''][0]} here")
    if not len(named.trace_atoms()):
        notes.append(f"{path.name} has no residue with a Cα or P atom: most validators have nothing to judge")
    if (twice := repeated_atoms(named)).any():
        residue = named.select(np.flatnonzero(twice)[:1])
        where = (
            f"{residue.residue_name[0]} {residue.residue_number[0]}{residue.insertion_code[0]} of {residue.chain[0]}"
        )
        notes.append(
            f"{path.name} holds {twice.sum()} atoms a second time, the first in {where}: scores count them twice"
        )
    return Subject(named, path, tuple(notes))


def repeated_atoms(model: Model) -> NDArray[np.bool_]:
    """Which atoms have the chain, residue, name and alternative location of one before them."""
    columns = (
        model.chain,
        model.residue_number,
        model.insertion_code,
        model.residue_name,
        model.atom_name,
        model.altloc,
    )
    seen: set[tuple[object, ...]] = set()
    found = np.zeros(len(model), np.bool_)
    for i, key in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        found[i] = key in seen
        seen.add(key)
    return found
