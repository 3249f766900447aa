//! Which points of two sets lie on each other, one to one.
use rayon::prelude::*;

use super::check_points;
use crate::control::Control;
use crate::error::{Error, Result};

/// A point of the first set, one of the second, and their distance in Å.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Index into the first set.
    pub a: usize,
    /// Index into the second set.
    pub b: usize,
    /// In Å.
    pub distance: f64,
}

/// Points that the candidates of one task are looked up for.
const TASK: usize = 1024;

/// Pairs at most `max_distance` apart, each point in at most one: the closest pair first, of equals the first by index.
///
/// Sorted by the first set's index.
pub fn match_points(a: &[[f64; 3]], b: &[[f64; 3]], max_distance: f64, control: &Control) -> Result<Vec<Match>> {
    if !(max_distance > 0.0 && max_distance.is_finite()) {
        let (name, rule) = ("max_distance", "positive and finite");
        return Err(Error::Parameter {
            name,
            rule,
            value: max_distance,
        });
    }
    check_points(a)?;
    check_points(b)?;
    let cells = Cells::new(b, max_distance);
    let near = |(task, points): (usize, &[[f64; 3]])| {
        control.check()?;
        let mut found = Vec::new();
        for (i, &point) in points.iter().enumerate() {
            cells.near(point, |j, distance| {
                found.push(Match {
                    a: task * TASK + i,
                    b: j,
                    distance,
                })
            });
        }
        Ok(found)
    };
    let candidates: Vec<Vec<Match>> = a.par_chunks(TASK).enumerate().map(near).collect::<Result<_>>()?;
    let mut candidates = candidates.concat();
    candidates.par_sort_unstable_by(|p, q| p.distance.total_cmp(&q.distance).then((p.a, p.b).cmp(&(q.a, q.b))));
    control.check()?;
    let (mut a_taken, mut b_taken) = (vec![false; a.len()], vec![false; b.len()]);
    candidates.retain(|pair| {
        let free = !a_taken[pair.a] && !b_taken[pair.b];
        if free {
            (a_taken[pair.a], b_taken[pair.b]) = (true, true);
        }
        free
    });
    candidates.sort_unstable_by_key(|pair| pair.a);
    Ok(candidates)
}

/// Points sorted by the cube they lie in, cubes about as wide as the greatest distance asked for.
struct Cells<'a> {
    points: &'a [[f64; 3]],
    limit: f64,
    edge: f64,
    sorted: Vec<([i64; 3], usize)>,
}

impl<'a> Cells<'a> {
    fn new(points: &'a [[f64; 3]], limit: f64) -> Self {
        // A little larger than the limit, so that rounding cannot put a pair two cubes apart.
        let edge = limit * 1.000_001;
        let mut sorted: Vec<_> = points
            .iter()
            .enumerate()
            .map(|(i, &point)| (cell(point, edge), i))
            .collect();
        sorted.par_sort_unstable();
        Self {
            points,
            limit,
            edge,
            sorted,
        }
    }

    fn near(&self, point: [f64; 3], mut found: impl FnMut(usize, f64)) {
        let [x, y, z] = cell(point, self.edge);
        let around = |i: i64| i.saturating_sub(1)..=i.saturating_add(1);
        for (x, y) in around(x).flat_map(|x| around(y).map(move |y| (x, y))) {
            // The three cubes along z follow each other.
            let first = self.sorted.partition_point(|(at, _)| *at < [x, y, *around(z).start()]);
            let row = self.sorted[first..]
                .iter()
                .take_while(|(at, _)| *at <= [x, y, *around(z).end()]);
            for &(_, j) in row {
                let [dx, dy, dz] = [0, 1, 2].map(|axis| point[axis] - self.points[j][axis]);
                let distance = (dx * dx + dy * dy + dz * dz).sqrt();
                if distance <= self.limit {
                    found(j, distance);
                }
            }
        }
    }
}

fn cell(point: [f64; 3], edge: f64) -> [i64; 3] {
    point.map(|x| (x / edge).floor() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(a: &[[f64; 3]], b: &[[f64; 3]], limit: f64) -> Vec<(usize, usize)> {
        let found = match_points(a, b, limit, &Control::default()).unwrap();
        found.iter().map(|pair| (pair.a, pair.b)).collect()
    }

    #[test]
    fn the_closest_pair_goes_first() {
        let a = [[0.0; 3], [1.0, 0.0, 0.0]];
        let b = [[1.4, 0.0, 0.0], [2.5, 0.0, 0.0]];
        assert_eq!(pairs(&a, &b, 3.0), vec![(0, 1), (1, 0)]);
        assert_eq!(pairs(&a, &b, 2.0), vec![(1, 0)]);
    }

    #[test]
    fn the_limit_itself_counts_and_ties_go_by_index() {
        let b = [[3.0, 0.0, 0.0], [-3.0, 0.0, 0.0]];
        assert_eq!(pairs(&[[0.0; 3]], &b, 3.0), vec![(0, 0)]);
        assert_eq!(pairs(&[], &b, 3.0), vec![]);
        assert_eq!(pairs(&b, &[], 3.0), vec![]);
    }

    #[test]
    fn bad_input_is_refused() {
        let control = Control::default();
        for limit in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(match_points(&[], &[], limit, &control).is_err());
        }
        assert!(match_points(&[[f64::NAN; 3]], &[], 1.0, &control).is_err());
        assert_eq!(pairs(&[[1e9; 3]], &[[1e9; 3]], 1e-300), vec![(0, 0)]);
    }
}
