import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.ndimage import maximum_filter

from cryoweave.errors import InputError
from cryoweave.kernels.peaks import local_maxima


def slow_local_maxima(values, threshold):
    highest = maximum_filter(values, size=3, mode="constant", cval=-np.inf)
    return np.argwhere((values == highest) & (values > threshold))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), array_shapes(min_dims=3, max_dims=3, max_side=12))
def test_equals_the_slow_twin_where_no_values_tie(seed, shape):
    values = np.random.default_rng(seed).permutation(np.prod(shape)).reshape(shape).astype(np.float32)
    np.testing.assert_array_equal(local_maxima(values, 3.0), slow_local_maxima(values, 3.0))


@given(arrays(np.float32, (4, 4, 4), elements=st.sampled_from([0.0, 1.0, 2.0])))
def test_order_of_axes_in_memory_does_not_matter(values):
    np.testing.assert_array_equal(local_maxima(values, 0.5), local_maxima(np.asfortranarray(values), 0.5))


def test_a_nan_is_refused_with_its_place():
    values = np.zeros((3, 3, 3), np.float32)
    values[1, 0, 2] = np.nan
    with pytest.raises(InputError, match=r"\[1, 0, 2\]"):
        local_maxima(values, 0.5)
