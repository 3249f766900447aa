//! Two sequences, whose elements' scores against each other are given, aligned with affine gaps.
use ndarray::{ArrayView2, Axis};

use super::{check_cost, check_scores};
use crate::control::Control;
use crate::error::{Error, Result};

/// A gap of length L costs `open + extend * (L - 1)`; neither is negative, and `extend` is not above `open`.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// Cost of the first element left out.
    pub open: f64,
    /// Cost of each further one.
    pub extend: f64,
}

impl Gap {
    fn check(self) -> Result<()> {
        check_cost("gap_open", self.open)?;
        check_cost("gap_extend", self.extend)?;
        if self.extend <= self.open {
            return Ok(());
        }
        // Else a gap of two would be cheaper as two gaps.
        let (name, rule) = ("gap_extend", "at most gap_open");
        Err(Error::Parameter {
            name,
            rule,
            value: self.extend,
        })
    }

    fn cost(self, length: usize) -> f64 {
        match length {
            0 => 0.0,
            n => self.open + self.extend * (n - 1) as f64,
        }
    }
}

/// Which ends are free.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// None: every element is matched or paid for.
    Global,
    /// The best-scoring stretch of both; nothing if no pair scores above 0.
    Local,
    /// All four: at either end, one sequence may stand out over the other at no cost.
    Semiglobal,
}

/// Matched (row, column) pairs, both increasing, and the score.
#[derive(Clone, Debug, PartialEq)]
pub struct Alignment {
    /// Matched elements.
    pub pairs: Vec<[i32; 2]>,
    /// Sum of the matches' scores less the gaps' costs.
    pub score: f64,
}

const STOP: u8 = 0;
const MATCH: u8 = 1;
const ROW: u8 = 2;
const COLUMN: u8 = 3;
const SOURCE: u8 = 3;
const ROW_GOES_ON: u8 = 4;
const COLUMN_GOES_ON: u8 = 8;

/// Align rows with columns so that the sum of `scores` over matched pairs, less the gaps, is largest.
///
/// `row_gap` is paid for rows left out and `column_gap` for columns left out; a gap of one kind may follow one of the
/// other. Of equal alignments, one that matches is preferred to one that leaves out.
pub fn align_matrix<T: Copy + Into<f64>>(
    scores: ArrayView2<T>,
    row_gap: Gap,
    column_gap: Gap,
    mode: Mode,
    control: &Control,
) -> Result<Alignment> {
    for gap in [row_gap, column_gap] {
        gap.check()?;
    }
    check_scores("scores", scores)?;
    let mut table = Table::new(scores.dim(), row_gap, column_gap, mode);
    control.expect(scores.nrows() as u64);
    for (i, row) in scores.axis_iter(Axis(0)).enumerate() {
        control.step()?;
        table.fill_row(i + 1, row.iter().map(|&score| score.into()));
    }
    Ok(table.alignment())
}

/// One row of best scores at a time; `moves` remembers how each cell was reached.
struct Table {
    /// Rows and columns, each one more than the matrix has.
    size: (usize, usize),
    row_gap: Gap,
    column_gap: Gap,
    mode: Mode,
    best: Vec<f64>,
    rows_out: Vec<f64>,
    moves: Vec<u8>,
    end: (usize, usize),
    end_score: f64,
}

impl Table {
    fn new((m, n): (usize, usize), row_gap: Gap, column_gap: Gap, mode: Mode) -> Self {
        let size = (m + 1, n + 1);
        let mut moves = vec![STOP; size.0 * size.1];
        let mut best = vec![0.0; size.1];
        if mode == Mode::Global {
            for (j, value) in best.iter_mut().enumerate() {
                *value = -column_gap.cost(j);
            }
            moves[1..size.1].fill(COLUMN | COLUMN_GOES_ON);
            moves
                .iter_mut()
                .step_by(size.1)
                .skip(1)
                .for_each(|cell| *cell = ROW | ROW_GOES_ON);
        }
        let mut table = Self {
            size,
            row_gap,
            column_gap,
            mode,
            rows_out: vec![f64::NEG_INFINITY; size.1],
            best,
            moves,
            end: (0, 0),
            end_score: f64::NEG_INFINITY,
        };
        let corner = table.best[n];
        table.consider_end((0, n), corner);
        table
    }

    fn fill_row(&mut self, i: usize, scores: impl Iterator<Item = f64>) {
        let global = self.mode == Mode::Global;
        let floor = if self.mode == Mode::Local {
            0.0
        } else {
            f64::NEG_INFINITY
        };
        let mut diagonal = self.best[0];
        let mut left = if global { -self.row_gap.cost(i) } else { 0.0 };
        self.best[0] = left;
        self.consider_end((i, 0), left);
        let mut columns_out = f64::NEG_INFINITY;
        let moves = &mut self.moves[i * self.size.1 + 1..(i + 1) * self.size.1];
        let cells = self.best[1..].iter_mut().zip(&mut self.rows_out[1..]).zip(moves);
        let mut peak = (f64::NEG_INFINITY, 0);
        for (j, (((best, rows_out), cell), score)) in cells.zip(scores).enumerate() {
            let (row, row_bit) = extend(*best, *rows_out, self.row_gap, ROW_GOES_ON);
            let (column, column_bit) = extend(left, columns_out, self.column_gap, COLUMN_GOES_ON);
            let (mut value, mut source) = (diagonal + score, MATCH);
            for (other, from) in [(row, ROW), (column, COLUMN), (floor, STOP)] {
                if other > value {
                    (value, source) = (other, from);
                }
            }
            *cell = source | row_bit | column_bit;
            diagonal = *best;
            (*best, *rows_out, columns_out, left) = (value, row, column, value);
            if value > peak.0 {
                peak = (value, j + 1);
            }
        }
        if self.mode == Mode::Local || i + 1 == self.size.0 {
            self.consider_end((i, peak.1), peak.0);
        }
        self.consider_end((i, self.size.1 - 1), left);
    }

    /// Keep the first best cell among those at which this mode may end.
    fn consider_end(&mut self, (i, j): (usize, usize), score: f64) {
        let (last_row, last_column) = (i + 1 == self.size.0, j + 1 == self.size.1);
        let allowed = match self.mode {
            Mode::Global => last_row && last_column,
            Mode::Semiglobal => last_row || last_column,
            Mode::Local => true,
        };
        if allowed && score > self.end_score {
            (self.end, self.end_score) = ((i, j), score);
        }
    }

    fn alignment(&self) -> Alignment {
        let (mut i, mut j) = self.end;
        let mut pairs = Vec::new();
        let mut inside = STOP;
        while i > 0 || j > 0 {
            let cell = self.moves[i * self.size.1 + j];
            let state = if inside == STOP { cell & SOURCE } else { inside };
            inside = match state {
                MATCH => {
                    (i, j) = (i - 1, j - 1);
                    pairs.push([i as i32, j as i32]);
                    STOP
                }
                ROW => {
                    i -= 1;
                    if cell & ROW_GOES_ON != 0 { ROW } else { STOP }
                }
                COLUMN => {
                    j -= 1;
                    if cell & COLUMN_GOES_ON != 0 { COLUMN } else { STOP }
                }
                _ => break,
            };
        }
        pairs.reverse();
        let score = self.end_score;
        Alignment { pairs, score }
    }
}

/// The better of opening a gap after `closed` and lengthening one; the bit says that it was lengthened.
fn extend(closed: f64, open: f64, gap: Gap, bit: u8) -> (f64, u8) {
    let (opened, longer) = (closed - gap.open, open - gap.extend);
    if longer > opened { (longer, bit) } else { (opened, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, arr2};

    const GAP: Gap = Gap { open: 2.0, extend: 0.5 };

    fn run(scores: &Array2<f32>, mode: Mode) -> Alignment {
        align_matrix(scores.view(), GAP, GAP, mode, &Control::default()).unwrap()
    }

    #[test]
    fn empty_matrices_cost_their_gaps() {
        for (shape, cost) in [((0, 0), 0.0), ((0, 3), -3.0), ((3, 0), -3.0)] {
            let scores = Array2::<f32>::zeros(shape);
            let global = run(&scores, Mode::Global);
            assert_eq!((global.pairs, global.score), (vec![], cost));
            assert_eq!(run(&scores, Mode::Semiglobal).score, 0.0);
            assert_eq!(run(&scores, Mode::Local).score, 0.0);
        }
    }

    #[test]
    fn a_gap_is_opened_once() {
        let scores = arr2(&[[5.0, -9.0, -9.0, -9.0], [-9.0, -9.0, -9.0, 5.0]]);
        let got = run(&scores, Mode::Global);
        assert_eq!((got.pairs, got.score), (vec![[0, 0], [1, 3]], 7.5));
    }

    #[test]
    fn ends_are_free_where_the_mode_says_so() {
        let scores = arr2(&[[-1.0, -1.0, 3.0], [-1.0, -1.0, -1.0]]);
        assert_eq!(run(&scores, Mode::Semiglobal).pairs, vec![[0, 2]]);
        assert_eq!(run(&scores, Mode::Semiglobal).score, 3.0);
        assert_eq!(run(&scores, Mode::Local).score, 3.0);
        let hopeless = Array2::from_elem((2, 2), -1.0);
        assert_eq!(run(&hopeless, Mode::Local).pairs, Vec::<[i32; 2]>::new());
    }

    #[test]
    fn cancelled_and_bad_input() {
        let control = Control::default();
        let mut scores = Array2::<f32>::zeros((2, 2));
        let negative = Gap {
            open: -1.0,
            extend: 0.0,
        };
        assert!(align_matrix(scores.view(), negative, GAP, Mode::Local, &control).is_err());
        control.cancel();
        assert!(align_matrix(scores.view(), GAP, GAP, Mode::Local, &control).is_err());
        scores[[1, 0]] = f32::NAN;
        let refused = align_matrix(scores.view(), GAP, GAP, Mode::Local, &Control::default());
        assert_eq!(refused, Err(Error::CellNotFinite { row: 1, column: 0 }));
    }
}
