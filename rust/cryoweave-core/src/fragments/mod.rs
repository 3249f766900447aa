//! Pieces of sequence on pieces of path: where they fit without a gap, and which of them cannot both be.

mod conflicts;
mod ungapped;

pub use conflicts::{Conflict, Fragments, Rules, conflicts};
pub use ungapped::{Piece, Pieces, ungapped};
