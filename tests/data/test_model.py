"""Models put together."""

from dataclasses import replace

import numpy as np

from cryoweave.data.model import joined_models, with_own_chains
from cryoweave.testing import ideal_model


def test_chains_keep_their_names_while_these_are_free():
    one = ideal_model("HH", chain="B")
    twice = joined_models([one, replace(one, chain=np.full(len(one), ""))])
    named = list(with_own_chains([twice, *[one] * 703]))
    names = [name for part in named for name in dict.fromkeys(part.chain.tolist())]
    assert names[:4] == ["B", "A", "C", "D"]
    assert names[25:28] == ["Z", "AA", "AB"]
    assert names[701:] == ["ZZ", "A1", "A2", "A3"]


def test_a_model_without_a_trace_is_where_its_atoms_are():
    model = ideal_model("HHH")
    assert np.array_equal(model.residue_xyz(), model.trace_atoms().xyz)
    sides = model.select(model.atom_name != "CA")
    assert np.array_equal(sides.residue_xyz(), sides.xyz)
