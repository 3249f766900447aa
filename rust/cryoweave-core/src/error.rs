//! One error type for the core; each variant is a sentence that a user can act on.

/// What can go wrong in a kernel.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Error {
    /// A voxel is NaN or infinite.
    #[error("the map holds a value that is not finite at voxel (z, y, x) = {0:?}")]
    NotFinite([usize; 3]),
    /// A point has a NaN or infinite coordinate.
    #[error("point {0} has a coordinate that is not finite")]
    PointNotFinite(usize),
    /// A matrix of scores has a NaN or infinite entry.
    #[error("the matrix holds a value that is not finite at row {row}, column {column}")]
    CellNotFinite {
        /// Its row.
        row: usize,
        /// Its column.
        column: usize,
    },
    /// A parameter is outside of the range in which the kernel means something.
    #[error("{name} must be {rule}, not {value}")]
    Parameter {
        /// The parameter's name as the caller wrote it.
        name: &'static str,
        /// The rule that it breaks, e.g. "positive".
        rule: &'static str,
        /// The value that was given.
        value: f64,
    },
    /// Arrays that belong together differ in length.
    #[error("{what}: {left} against {right}")]
    Length {
        /// Which arrays, e.g. "points and weights differ in length".
        what: &'static str,
        /// Length of the first.
        left: usize,
        /// Length of the second.
        right: usize,
    },
    /// One row of a table breaks a rule.
    #[error("{what} (row {row})")]
    Row {
        /// What is wrong with it, e.g. "an edge names a node that does not exist".
        what: &'static str,
        /// The row, counted from 0.
        row: usize,
    },
    /// Nothing is left to work on.
    #[error("{0}")]
    Empty(&'static str),
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

/// The core's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Refuse two arrays, named by `what`, that belong together and differ in length.
pub fn same_length(what: &'static str, left: usize, right: usize) -> Result<()> {
    if left == right {
        Ok(())
    } else {
        Err(Error::Length { what, left, right })
    }
}
