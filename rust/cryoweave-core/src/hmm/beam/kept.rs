//! Hypotheses that live on, and where each has been.
use rayon::prelude::*;

use super::Neighbours;

pub(super) const NONE: u32 = u32::MAX;

/// A way of the chain up to one residue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hypothesis {
    pub(super) score: f32,
    pub(super) point: u32,
    /// The point before, and whether it is bonded; and the one before that, if two bonds lead back to it.
    pub(super) previous: u32,
    pub(super) bonded: bool,
    pub(super) earlier: u32,
    /// Residue and place of the hypothesis that this one goes on from.
    pub(super) residue: usize,
    pub(super) parent: u32,
    /// Its place among those that wait, if it waited.
    pub(super) waited: u32,
}

impl Hypothesis {
    pub(super) fn start(residue: usize, point: usize, score: f32) -> Self {
        Self {
            score,
            point: point as u32,
            previous: NONE,
            bonded: false,
            earlier: NONE,
            residue,
            parent: NONE,
            waited: NONE,
        }
    }

    pub(super) fn onward(&self, score: f32, point: usize, residue: usize, place: usize, bonded: bool) -> Self {
        Self {
            score,
            point: point as u32,
            previous: self.point,
            bonded,
            earlier: if bonded && self.bonded { self.previous } else { NONE },
            residue,
            parent: place as u32,
            waited: NONE,
        }
    }

    /// Hypotheses that came the same way of late are alike.
    fn like(&self, other: &Self) -> bool {
        (self.previous, self.earlier) == (other.previous, other.earlier)
    }
}

/// Put one among the best of a point, the best first; of alike ones the better stays.
pub(super) fn keep(best: &mut Vec<Hypothesis>, one: Hypothesis, most: usize) {
    if best.len() == most && best.last().is_some_and(|last| one.score <= last.score) {
        return;
    }
    if let Some(place) = best.iter().position(|other| other.like(&one)) {
        if one.score <= best[place].score {
            return;
        }
        best.remove(place);
    }
    let place = best.partition_point(|other| other.score >= one.score);
    best.insert(place, one);
    best.truncate(most);
}

/// The hypotheses of one residue, point by point.
pub(super) struct Row {
    starts: Vec<u32>,
    all: Vec<Hypothesis>,
    words: usize,
    bits: Vec<u64>,
}

impl Row {
    /// The best `width` of those found for each point; `visited` says where one's parent has been.
    pub(super) fn new<'a>(
        found: Vec<Vec<Hypothesis>>,
        width: usize,
        visited: impl Fn(&Hypothesis) -> Option<&'a [u64]> + Sync,
        same: &Neighbours,
    ) -> Self {
        let least = least_of_best(&found, width);
        let words = found.len().div_ceil(64);
        let (mut starts, mut all) = (Vec::with_capacity(found.len() + 1), Vec::new());
        starts.push(0);
        for those in &found {
            let room = width - all.len().min(width);
            all.extend(those.iter().filter(|h| h.score >= least).take(room));
            starts.push(all.len() as u32);
        }
        let mut bits = vec![0u64; words * all.len()];
        if words > 0 {
            bits.par_chunks_mut(words).zip(&all).for_each(|(own, h)| {
                if let Some(before) = visited(h) {
                    own.copy_from_slice(before);
                }
                let near = same.of(h.point as usize).iter().map(|&(other, _)| other);
                near.chain([h.point])
                    .for_each(|p| own[p as usize / 64] |= 1 << (p % 64));
            });
        }
        Self {
            starts,
            all,
            words,
            bits,
        }
    }

    /// Where its hypotheses have been will not be asked again.
    pub(super) fn forget(&mut self) {
        self.bits = Vec::new();
        self.starts = Vec::new();
    }

    pub(super) fn has(&self, point: usize) -> bool {
        self.starts[point] < self.starts[point + 1]
    }

    pub(super) fn on(&self, point: usize) -> impl Iterator<Item = (usize, &Hypothesis)> {
        let places = self.starts[point] as usize..self.starts[point + 1] as usize;
        places.clone().zip(&self.all[places])
    }

    pub(super) fn all(&self) -> &[Hypothesis] {
        &self.all
    }

    pub(super) fn bits(&self, place: usize) -> &[u64] {
        &self.bits[place * self.words..][..self.words]
    }

    pub(super) fn visited(&self, place: usize, point: usize) -> bool {
        self.bits[place * self.words + point / 64] >> (point % 64) & 1 == 1
    }
}

/// The score of the last of the `width` best.
fn least_of_best(found: &[Vec<Hypothesis>], width: usize) -> f32 {
    let mut scores: Vec<f32> = found.iter().flatten().map(|h| h.score).collect();
    if scores.len() <= width {
        return f32::NEG_INFINITY;
    }
    *scores.select_nth_unstable_by(width - 1, |a, b| b.total_cmp(a)).1
}

/// Hypotheses that go on behind a gap.
pub(super) struct Waiting {
    most: usize,
    all: Vec<Waiter>,
}

/// One of them.
pub(super) struct Waiter {
    pub(super) score: f32,
    pub(super) point: u32,
    pub(super) residue: usize,
    place: u32,
    /// Its score and what it saves of later gaps: comparable with others'.
    worth: f32,
    bits: Vec<u64>,
}

impl Waiter {
    pub(super) fn onward(&self, score: f32, point: usize, waited: usize) -> Hypothesis {
        Hypothesis {
            parent: self.place,
            waited: waited as u32,
            ..Hypothesis::start(self.residue, point, score)
        }
    }
}

impl Waiting {
    pub(super) fn new(most: usize) -> Self {
        Self { most, all: Vec::new() }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiter> {
        self.all.iter()
    }

    pub(super) fn bits(&self, place: usize) -> &[u64] {
        &self.all[place].bits
    }

    pub(super) fn visited(&self, place: usize, point: usize) -> bool {
        self.all[place].bits[point / 64] >> (point % 64) & 1 == 1
    }

    /// Let a residue's hypotheses wait: of each point the best, and of all the best.
    pub(super) fn admit(&mut self, row: &Row, residue: usize, extend: f64) {
        for (place, h) in row.all().iter().enumerate() {
            let worth = h.score + (extend * residue as f64) as f32;
            let full = self.all.len() >= self.most;
            if full && self.all.last().is_none_or(|last| worth <= last.worth) {
                continue;
            }
            if let Some(at) = self.all.iter().position(|other| other.point == h.point) {
                if worth <= self.all[at].worth {
                    continue;
                }
                self.all.remove(at);
            }
            let waiter = Waiter {
                score: h.score,
                point: h.point,
                residue,
                place: place as u32,
                worth,
                bits: row.bits(place).to_vec(),
            };
            let at = self.all.partition_point(|other| other.worth >= worth);
            self.all.insert(at, waiter);
            self.all.truncate(self.most);
        }
    }
}
