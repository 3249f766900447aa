//! Rows with one cell a residue, worked on by chunks of lanes.

/// Residues that are worked on together; 64 float32 are eight vectors of AVX2.
pub(super) const LANES: usize = 64;

/// A chunk of a row.
pub(super) type Lanes = [f32; LANES];

/// Cells for residues, with a chunk of room before them; what is no residue's is -inf.
pub(super) struct Rows {
    cells: Vec<f32>,
    stride: usize,
    residues: usize,
}

impl Rows {
    pub(super) fn new(rows: usize, residues: usize) -> Self {
        let stride = LANES + residues.next_multiple_of(LANES);
        Self {
            cells: vec![f32::NEG_INFINITY; rows * stride],
            stride,
            residues,
        }
    }

    /// A row's residues.
    #[inline(always)]
    pub(super) fn of(&self, row: usize) -> &[f32] {
        &self.cells[row * self.stride + LANES..][..self.residues]
    }

    #[inline(always)]
    pub(super) fn of_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.cells[row * self.stride + LANES..][..self.residues]
    }

    /// What lies `left_out + 1` residues before each lane of a chunk; none if that is before the first residue for all.
    #[inline(always)]
    pub(super) fn before(&self, row: usize, chunk: usize, left_out: usize) -> Option<&Lanes> {
        let first = (LANES * (chunk + 1)).checked_sub(left_out + 1)?;
        self.cells[row * self.stride..][..self.stride][first..].first_chunk()
    }

    /// As `before` for `last - 1` down to `fewest` left out, all in a row; what is not there begins with the room.
    #[inline(always)]
    pub(super) fn span(&self, row: usize, chunk: usize, fewest: usize, last: usize) -> &[f32] {
        let (first, end) = span(chunk, fewest, last);
        &self.cells[row * self.stride..][..self.stride][first.min(end)..end]
    }
}

/// Places in a row, the room included, that `Rows::span` gives.
#[inline(always)]
pub(super) fn span(chunk: usize, fewest: usize, last: usize) -> (usize, usize) {
    let here = LANES * (chunk + 1);
    (here.saturating_sub(last), (here + LANES).saturating_sub(fewest + 1))
}

/// Raise each lane to what it is when reached from there at this cost.
#[inline(always)]
pub(super) fn raise(lanes: &mut Lanes, from: Option<&Lanes>, cost: f32) {
    let Some(from) = from else { return };
    for (lane, value) in lanes.iter_mut().zip(from) {
        let value = value - cost;
        *lane = if value > *lane { value } else { *lane };
    }
}

/// `[q]`: max over t >= 0 of `row[q - t] - extend * t`.
pub(super) fn onwards(row: &mut [f32], extend: f64) {
    let mut running = f32::NEG_INFINITY;
    for value in row {
        running = value.max(running - extend as f32);
        *value = running;
    }
}

/// From a window of `length` to one of twice that: `[q]` is the better of itself and of `length` before less `step`.
#[inline(always)]
pub(super) fn widen(from: &[f32], to: &mut [f32], length: usize, step: f32) {
    let head = length.min(from.len());
    to[..head].copy_from_slice(&from[..head]);
    for (to, (value, earlier)) in to[head..].iter_mut().zip(from[head..].iter().zip(from)) {
        let earlier = earlier - step;
        *to = if earlier > *value { earlier } else { *value };
    }
}
