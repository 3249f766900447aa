"""Scores of a model: per residue and of the whole, each with its definition."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryoweave.data.arrays import frozen, same_length, short_repr
from cryoweave.errors import InputError

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Metric:
    """What a number means.

    Parameters
    ----------
    definition
        One sentence, with the denominator where there is one.
    unit
        Empty for pure numbers.
    higher_is_better
        None where neither is.
    """

    definition: str
    unit: str = ""
    higher_is_better: bool | None = None


@dataclass(frozen=True, eq=False)
class Curve:
    """One figure as a function of another, e.g. a Fourier shell correlation; or the outline of a region.

    Parameters
    ----------
    x, y
        Shape ``(n,)``, float64; NaN in y where there is no value. Of an outline: closed lines, NaN in y between them.
    x_label, y_label
        What the axes are, with the unit. Two names of scores by residue make it an outline in their plane, e.g. the
        favoured region for ``phi`` and ``psi``.
    definition
        One sentence.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    x_label: str
    y_label: str
    definition: str

    __repr__ = short_repr

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", frozen(self.x, np.float64, "x", (None,)))
        object.__setattr__(self, "y", _column("y", self.y, len(self.x)))


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Scores of one model.

    Parameters
    ----------
    chain, residue_number, insertion_code, residue_name
        Identity of each residue, shape ``(n,)``; n is 0 if nothing is scored by residue.
    residues
        Column per metric, float64, shape ``(n,)``; NaN where a residue has no value.
    whole
        Value of the whole model per metric; NaN where it cannot be computed.
    metrics
        What each name in ``residues`` and ``whole`` means.
    curves
        Figures that are functions, and outlines behind the residues, by name.
    """

    chain: NDArray[np.str_]
    residue_number: NDArray[np.int32]
    insertion_code: NDArray[np.str_]
    residue_name: NDArray[np.str_]
    residues: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    whole: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)

    __repr__ = short_repr

    def __post_init__(self) -> None:
        object.__setattr__(self, "chain", frozen(self.chain, np.str_, "chain", (None,)))
        object.__setattr__(self, "residue_number", frozen(self.residue_number, np.int32, "residue_number", (None,)))
        object.__setattr__(self, "insertion_code", frozen(self.insertion_code, np.str_, "insertion_code", (None,)))
        object.__setattr__(self, "residue_name", frozen(self.residue_name, np.str_, "residue_name", (None,)))
        n = same_length(
            chain=self.chain,
            residue_number=self.residue_number,
            insertion_code=self.insertion_code,
            residue_name=self.residue_name,
        )
        columns = {name: _column(name, values, n) for name, values in self.residues.items()}
        object.__setattr__(self, "residues", columns)
        object.__setattr__(self, "whole", {name: float(value) for name, value in self.whole.items()})
        undefined = sorted((set(self.residues) | set(self.whole)) - set(self.metrics))
        if undefined:
            raise InputError(f"score {undefined[0]!r} has no definition", "add it to metrics")

    def __len__(self) -> int:
        return len(self.chain)

    def functions(self) -> dict[str, Curve]:
        """The curves that are no outlines."""
        return {
            name: curve
            for name, curve in self.curves.items()
            if not {curve.x_label, curve.y_label} <= self.residues.keys()
        }

    def outlines(self, x: str, y: str) -> dict[str, Curve]:
        """Outlines in the plane of two scores by residue, those to be drawn first first."""
        return {name: curve for name, curve in self.curves.items() if (curve.x_label, curve.y_label) == (x, y)}

    def to_pandas(self) -> "pandas.DataFrame":
        """One row a residue: its identity, then a column a metric."""
        import pandas

        identity = {
            "auth_asym_id": self.chain,
            "auth_seq_id": self.residue_number,
            "ins_code": self.insertion_code,
            "comp_id": self.residue_name,
        }
        return pandas.DataFrame({**identity, **self.residues})


def _column(name: str, values: object, n: int) -> NDArray[np.float64]:
    """A column that may hold NaN, not to be written to."""
    column = np.array(values, dtype=np.float64)
    if column.shape != (n,):
        raise InputError(f"column {name!r} has shape {column.shape}, wanted ({n},)")
    column.flags.writeable = False
    return column
