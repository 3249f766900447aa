//! Peaks of a map: the points that detectors start from.

mod maxima;
mod mean_shift;
mod merge;
mod window;

pub use maxima::local_maxima;
pub use mean_shift::{Limits, Shifted, climb_from, kernel_density, mean_shift};
pub use merge::{Merged, NO_OWNER, merge_points};
