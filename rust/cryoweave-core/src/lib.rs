//! Kernels for building atomic models from cryo-EM maps. Pure Rust: nothing here knows Python.
//!
//! Maps are `ArrayView3<f32>` in `(z, y, x)` order; points are `[f64; 3]` as `xyz` in Å unless a name says `zyx`.
//! Every long loop takes a [`control::Control`] and asks it once per slab, row or block whether to go on.

pub mod align;
pub mod cloud;
pub mod control;
pub mod error;
pub mod fragments;
pub mod graph;
pub mod grid;
pub mod hmm;
pub mod metrics;
pub mod mixture;
pub mod peaks;
pub mod quality;
pub mod refine;
pub mod rigid;
pub mod rotamers;
pub mod rotations;
pub mod search;
pub mod simulate;
pub mod torsions;
mod vector;
