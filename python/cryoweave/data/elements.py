"""Chemical elements by their numbers."""

import numpy as np
from numpy.typing import NDArray

_TABLE = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb "
    "Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au "
    "Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr "
    "Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"
)
SYMBOLS = tuple(_TABLE.split())
"""In the order of their atomic numbers, from 1."""


def atomic_numbers(element: NDArray[np.str_]) -> NDArray[np.float64]:
    """Atomic number of each symbol, whatever its case; 0 where it is none."""
    names, which = np.unique(element, return_inverse=True)
    known = {symbol.upper(): number for number, symbol in enumerate(SYMBOLS, 1)} | {"D": 1}
    return np.array([known.get(str(name).upper(), 0) for name in names], np.float64)[which]
