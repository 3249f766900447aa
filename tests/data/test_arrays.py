"""What a data class refuses of an array."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from cryoweave.data.arrays import frozen
from cryoweave.errors import InputError

HALVES = st.floats(width=16) | st.sampled_from([0.0, -0.0, 1.0, float("nan"), float("inf"), -float("inf")])


@given(arrays(np.float16, array_shapes(max_dims=2), elements=HALVES))
def test_halves_are_refused_as_they_would_be_one_by_one(values: np.ndarray) -> None:
    wide = values.astype(np.float64)
    complaint = None
    if not np.isfinite(wide).all():
        complaint = "not finite"
    elif (wide < 0).any() or (wide > 1).any():
        complaint = "between 0 and 1"
    if complaint is None:
        assert np.array_equal(frozen(values, np.float16, "a map", values.shape, (0, 1)), values)
    else:
        with pytest.raises(InputError, match=complaint):
            frozen(values, np.float16, "a map", values.shape, (0, 1))
