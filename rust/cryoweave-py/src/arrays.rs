//! NumPy borrows as the plain values that the core takes.
use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::error::InputError;

/// Rows of an `(n, N)` array.
pub fn rows<T: numpy::Element + Copy, const N: usize>(
    name: &str,
    array: &PyReadonlyArray2<'_, T>,
) -> PyResult<Vec<[T; N]>> {
    let array = array.as_array();
    if array.ncols() != N {
        let (rows, columns) = array.dim();
        return Err(InputError::new_err(format!(
            "{name} must have {N} columns, not the shape ({rows}, {columns})"
        )));
    }
    Ok(array
        .rows()
        .into_iter()
        .map(|row| std::array::from_fn(|i| row[i]))
        .collect())
}

/// A one-dimensional array, whatever its strides.
pub fn column<T: numpy::Element + Copy>(array: &PyReadonlyArray1<'_, T>) -> Vec<T> {
    array.as_array().iter().copied().collect()
}
