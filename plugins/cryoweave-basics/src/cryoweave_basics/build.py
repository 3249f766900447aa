"""Models from threadings."""

import string

import numpy as np

from cryoweave.data import Model, Threading
from cryoweave.data.residues import PROTEIN_NAMES
from cryoweave.errors import StageError
from cryoweave.host import Context, NoParams


def alpha_carbons(threading: Threading, params: NoParams, ctx: Context) -> Model:
    """The best candidate as a Cα trace; B factor = 100 × confidence, residues numbered from 1."""
    if not len(threading) or threading.rows_of(0).start == threading.rows_of(0).stop:
        raise StageError("the threading holds no residue", "lower the contour, or look at the stages before it")
    rows = threading.rows_of(0)
    chain, residue = threading.chain[rows], threading.residue[rows]
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
