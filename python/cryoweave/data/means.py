"""A mean with what chance makes of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mean:
    """A mean over maps.

    Parameters
    ----------
    value
        The mean; NaN over none.
    low, high
        Where 95 % of the means lie of as many maps drawn with repetition (Efron 1979); NaN with too few.
    count
        Maps that it is of.
    """

    value: float
    low: float
    high: float
    count: int

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0
