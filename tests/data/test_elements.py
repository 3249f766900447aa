"""Atomic numbers against gemmi's."""

import gemmi
import numpy as np

from cryoweave.data.elements import SYMBOLS, atomic_numbers


def test_numbers_are_those_of_gemmi():
    assert len(SYMBOLS) == 118
    expected = [gemmi.Element(symbol).atomic_number for symbol in SYMBOLS]
    assert atomic_numbers(np.array(SYMBOLS)).tolist() == expected == list(range(1, 119))
    assert atomic_numbers(np.array(["ZN", "c", "D", "", "X", "C"])).tolist() == [30, 6, 1, 0, 0, 6]
