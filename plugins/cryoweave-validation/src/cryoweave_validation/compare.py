"""A model against a reference, by local distances; and the atoms that both have."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Metric, Model, ScoreTable
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.metrics import Kept, lddt
from cryoweave.kernels.pairing import own_residues
from cryoweave_validation.compare_stages import LddtParams

Rows = NDArray[np.intp]

METRICS = {
    "lddt": Metric(
        "distances of the residue's heavy atoms to those of other residues, up to the radius in the reference, that "
        "the model keeps within 0.5, 1, 2 and 4 Å (mean of the four), of all in the reference; residues paired by "
        "sequence, atoms by name; none for a model of Cα (P) alone",
        "",
        True,
    ),
    "lddt_ca": Metric("the same between Cα (P) atoms alone", "", True),
}


def locally_compared(model: Model, reference: Model, params: LddtParams, ctx: Context) -> ScoreTable:
    """Local distance difference test by residue and of the whole model."""
    ours, native = traces(model, reference)
    own = own_residues(ours, native)
    placed = np.flatnonzero(own >= 0)
    if not len(placed):
        raise StageError(
            "no residue of the model could be paired with one of the reference by sequence",
            "is it the same molecule, and does the model have residue names? compare.reference needs none",
        )
    ctx.note("paired_residues", len(placed))
    partner = np.full(len(native), -1, dtype=np.intp)
    partner[own[placed]] = placed
    rows = np.arange(len(native))
    found = {"lddt_ca": lddt(ours.xyz, native.xyz, partner, rows, radius=params.radius, progress=ctx.progress)}
    found["lddt"] = all_atoms(model, ours, reference, native, partner, params, ctx)
    return ScoreTable(
        chain=ours.chain,
        residue_number=ours.residue_number,
        insertion_code=ours.insertion_code,
        residue_name=ours.residue_name,
        residues={name: np.where(own >= 0, kept.residues[own], np.nan) for name, kept in found.items()},
        whole={name: kept.total for name, kept in found.items()},
        metrics=METRICS,
    )


def all_atoms(
    model: Model, ours: Model, reference: Model, native: Model, partner: Rows, params: LddtParams, ctx: Context
) -> Kept:
    """The test of all heavy atoms; NaN if the model has no more than its trace."""
    if len(residue_atoms(model, ours)[0]) == len(ours):
        return Kept(np.nan, np.full(len(native), np.nan))
    atoms, rows = residue_atoms(reference, native)
    same = same_atoms(model, ours, reference, native, partner)
    return lddt(model.xyz, reference.xyz[atoms], same, rows, radius=params.radius, progress=ctx.progress)


def traces(model: Model, reference: Model) -> tuple[Model, Model]:
    """The trace atoms of both, of which neither has none."""
    ours, native = model.trace_atoms(), reference.trace_atoms()
    if not len(ours):
        raise StageError("the model has no Cα or P atom", "is it a model of a protein or nucleic acid?")
    if not len(native):
        raise StageError("the reference has no Cα or P atom", "give another --reference")
    return ours, native


def residue_atoms(model: Model, trace: Model) -> tuple[Rows, Rows]:
    """Heavy atoms of the residues that have a trace atom, the first of each name, and each one's row in the trace.

    In the order of rows; other locations of an atom are left out, as in the trace.
    """
    key, rows = _keys(model, trace)
    order = np.argsort(rows)
    at = np.searchsorted(rows, key, sorter=order).clip(max=len(rows) - 1)
    row = order[at]
    atoms = np.flatnonzero((rows[row] == key) & ~np.isin(model.element, ("H", "D")))
    name = np.unique(model.atom_name[atoms], return_inverse=True)[1]
    _, first = np.unique(row[atoms] * (int(name.max(initial=0)) + 1) + name, return_index=True)
    return atoms[first], row[atoms[first]]


def same_atoms(model: Model, ours: Model, reference: Model, native: Model, partner: Rows) -> Rows:
    """For each of the reference's `residue_atoms` the model atom of that name in the partner residue, or -1.

    Parameters
    ----------
    model, ours, reference, native
        Both models and their trace atoms.
    partner
        For each row of ``native`` that of ``ours``, or -1.
    """
    (mine, my_row), (theirs, row) = residue_atoms(model, ours), residue_atoms(reference, native)
    names = np.concatenate((model.atom_name[mine], reference.atom_name[theirs]))
    _, name = np.unique(names, return_inverse=True)
    size = int(name.max()) + 1
    have, want = my_row * size + name[: len(mine)], partner[row] * size + name[len(mine) :]
    order = np.argsort(have)
    at = order[np.searchsorted(have, want, sorter=order).clip(max=len(have) - 1)]
    return np.where((have[at] == want) & (partner[row] >= 0), mine[at], -1)


def _keys(*models: Model) -> list[NDArray[np.int64]]:
    """A number for each atom's residue: chain, number and insertion code."""
    ends = np.cumsum([len(model) for model in models])[:-1]
    chain, insertion = (
        np.unique(np.concatenate([getattr(model, name) for model in models]), return_inverse=True)[1]
        for name in ("chain", "insertion_code")
    )
    number = np.concatenate([model.residue_number for model in models]).astype(np.int64)
    key = (chain * (int(insertion.max(initial=0)) + 1) + insertion) * (1 << 32) + number + (1 << 31)
    return np.split(key, ends)
