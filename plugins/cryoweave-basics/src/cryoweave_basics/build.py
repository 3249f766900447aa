"""Models from threadings."""

import string
from dataclasses import replace

import numpy as np

from cryoweave.data import DensityMap, Model, Threading
from cryoweave.data.residues import PROTEIN_NAMES
from cryoweave.errors import StageError
from cryoweave.host import Context, NoParams
from cryoweave.kernels.backbone import ATOMS, CB, BackboneRefiner
from cryoweave.kernels.grid import interpolate, require_contrast
from cryoweave_basics.stages import BackboneParams


def alpha_carbons(threading: Threading, params: NoParams, ctx: Context) -> Model:
    """The best candidate as a Cα trace; B factor = 100 × confidence, residues numbered from 1."""
    return best_trace(threading, ctx)


def backbone(density: DensityMap, threading: Threading, params: BackboneParams, ctx: Context) -> Model:
    """The best candidate as N, Cα, C, O and Cβ, refined in the density; else as `alpha_carbons`."""
    trace = best_trace(threading, ctx)
    require_contrast(density)
    if np.median(interpolate(density.values, density.frame, trace.xyz)) <= 0:
        raise StageError(
            f"half or more of the {len(trace)} Cα positions have no density above zero",
            "is this the map that the threading was made in? `build.calpha` needs none",
        )
    near = np.linalg.norm(np.diff(trace.xyz, axis=0), axis=1) <= params.bond
    bonded = near & (np.diff(trace.residue_number) == 1) & (trace.chain[1:] == trace.chain[:-1])
    refined = BackboneRefiner(density.values, density.frame).refine(trace.xyz, bonded, progress=ctx.progress)
    ctx.note("pieces", 1 + int((~bonded).sum()))
    residue = np.repeat(np.arange(len(trace)), len(ATOMS))
    atoms = replace(
        trace.select(residue),
        xyz=refined.xyz.reshape(-1, 3),
        atom_name=np.tile(ATOMS, len(trace)),
        element=np.tile([name[0] for name in ATOMS], len(trace)),
    )
    return atoms.select((atoms.residue_name != "GLY") | (atoms.atom_name != ATOMS[CB]))


def best_trace(threading: Threading, ctx: Context) -> Model:
    """One Cα a residue of the best candidate, in the order of the sequences.

    Raises
    ------
    StageError
        If the candidate holds no residue, or one of RNA or DNA.
    """
    if not len(threading) or threading.rows_of(0).start == threading.rows_of(0).stop:
        raise StageError("the threading holds no residue", "lower the contour, or look at the stages before it")
    rows = threading.rows_of(0)
    chain, residue = threading.chain[rows], threading.residue[rows]
    molecules = [sequence.molecule for sequence in threading.sequences.sequences for _ in range(sequence.copies)]
    others = sorted({molecules[c] for c in np.unique(chain)} - {"protein"})
    if others:
        raise StageError(
            f"the threading holds residues of {' and '.join(others).upper()}", "only proteins can be built yet"
        )
    order = np.lexsort((residue, chain))
    chain, residue = chain[order], residue[order]
    letters = [letters for letters, _ in threading.chains()]
    ids = chain_ids([name for _, name in threading.chains()])
    ctx.note("residues", len(residue))
    return Model.from_trace(
        xyz=threading.xyz[rows][order],
        residue_name=np.array([PROTEIN_NAMES[letters[c][r]] for c, r in zip(chain, residue, strict=True)]),
        chain=np.array([ids[c] for c in chain]),
        residue_number=residue + 1,
        b_factor=100 * threading.confidence[rows][order],
        b_is_confidence=True,
    )


def chain_ids(names: list[str]) -> list[str]:
    """One id a chain: the sequence's name where it is short enough to be one and free, else A, B, … Z, AA, AB …"""
    single = list(string.ascii_uppercase)
    free = iter(single + [a + b for a in single for b in single])
    wishes = {name for name in names if name.isascii() and name.isalnum() and len(name) <= 4}
    ids: list[str] = []
    for name in names:
        ids.append(name if name in wishes and name not in ids else next(i for i in free if i not in wishes))
    return ids
