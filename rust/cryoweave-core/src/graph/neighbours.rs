//! All pairs of points within a radius.
use rayon::prelude::*;

use super::{Cells, check_points};
use crate::control::Control;
use crate::error::{Error, Result};

const CHUNK: usize = 1024;

/// Pairs of points and how far they are apart.
#[derive(Debug, Default, PartialEq)]
pub struct Pairs {
    /// Pairs `i < j`, sorted.
    pub pairs: Vec<[i32; 2]>,
    /// Distances in the points' own unit.
    pub distances: Vec<f64>,
}

/// All pairs at most `radius` apart.
pub fn neighbour_pairs(points: &[[f64; 3]], radius: f64, control: &Control) -> Result<Pairs> {
    check_points(points)?;
    if !(radius.is_finite() && radius > 0.0) {
        return Err(Error::Parameter {
            name: "radius",
            rule: "positive and finite",
            value: radius,
        });
    }
    let cells = Cells::new(points, radius);
    let around = cells.surroundings();
    let in_cells: Vec<[f64; 3]> = cells.order.iter().map(|&i| points[i as usize]).collect();
    let later = |i: usize, found: &mut Vec<(u32, f64)>| {
        let at = points[i];
        for &(first, last) in &around[cells.cell_of(i)] {
            let places = cells.starts[first as usize] as usize..cells.starts[last as usize] as usize;
            for (&j, other) in cells.order[places.clone()].iter().zip(&in_cells[places]) {
                let d2 = (0..3).map(|a| (other[a] - at[a]).powi(2)).sum::<f64>();
                if d2 <= radius * radius && j as usize > i {
                    found.push((j, d2.sqrt()));
                }
            }
        }
    };
    control.expect(points.len().div_ceil(CHUNK) as u64);
    let chunks: Vec<Pairs> = points
        .par_chunks(CHUNK)
        .enumerate()
        .map(|(chunk, those)| {
            let (mut out, mut found) = (Pairs::default(), Vec::new());
            for i in chunk * CHUNK..chunk * CHUNK + those.len() {
                control.check()?;
                found.clear();
                later(i, &mut found);
                found.sort_unstable_by_key(|&(j, _)| j);
                out.pairs.extend(found.iter().map(|&(j, _)| [i as i32, j as i32]));
                out.distances.extend(found.iter().map(|&(_, d)| d));
            }
            control.step()?;
            Ok(out)
        })
        .collect::<Result<_>>()?;
    let mut all = Pairs::default();
    for chunk in chunks {
        all.pairs.extend_from_slice(&chunk.pairs);
        all.distances.extend_from_slice(&chunk.distances);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_neither_panic_nor_lose_pairs() {
        let points = [[-1e300, 0.0, 0.0], [1e300, 0.0, 0.0], [1e300, 0.0, 0.0]];
        let found = neighbour_pairs(&points, 1e-3, &Control::default()).unwrap();
        assert_eq!(
            found,
            Pairs {
                pairs: vec![[1, 2]],
                distances: vec![0.0]
            }
        );
        assert_eq!(neighbour_pairs(&[], 1.0, &Control::default()), Ok(Pairs::default()));
    }

    #[test]
    fn nan_and_a_radius_of_nothing_are_refused() {
        let control = Control::default();
        assert_eq!(
            neighbour_pairs(&[[0.0, f64::NAN, 0.0]], 1.0, &control),
            Err(Error::PointNotFinite(0))
        );
        assert!(neighbour_pairs(&[], 0.0, &control).is_err());
    }
}
