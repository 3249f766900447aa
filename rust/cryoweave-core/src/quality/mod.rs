//! How well a map supports the atoms of a model.

mod radial;
mod spiral;

pub use radial::radial_correlation;
