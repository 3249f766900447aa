//! What a map says of bonds between points: how much lies along each, and which way the chain runs.
use ndarray::ArrayView3;

use super::check_edges;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::grid::frame::Frame;
use crate::grid::interpolate::{Order, interpolate};

/// Bonds looked at between two looks at the control.
const CHUNK: usize = 16_384;

/// Values of a map along bonds.
#[derive(Debug, Default, PartialEq)]
pub struct Along {
    /// The least of each bond's samples.
    pub least: Vec<f32>,
    /// Their mean.
    pub mean: Vec<f32>,
}

/// Trilinear values of a map at fractions of the way from one point to the other; 0 outside of the box.
pub fn along_bonds(
    map: ArrayView3<f32>,
    frame: &Frame,
    points: &[[f64; 3]],
    pairs: &[[i32; 2]],
    fractions: &[f64],
    control: &Control,
) -> Result<Along> {
    check(points, pairs, fractions)?;
    let mut found = Along::default();
    control.expect(pairs.len().div_ceil(CHUNK) as u64);
    for pairs in pairs.chunks(CHUNK) {
        let values = sampled(map, frame, points, pairs, fractions, control)?;
        for samples in values.chunks(fractions.len()) {
            found.least.push(samples.iter().copied().fold(f32::INFINITY, f32::min));
            let sum: f64 = samples.iter().map(|&value| f64::from(value)).sum();
            found.mean.push((sum / samples.len() as f64) as f32);
        }
        control.step()?;
    }
    Ok(found)
}

/// Log-odds that a chain runs from the first point of each pair to the second, rather than back.
///
/// Seen from a Cα towards the C terminus, carbonyl C comes at the first fraction of the way and N at the second; from
/// the other end it is the other way round. `floor` is added to every probability, so that no single one decides alone.
pub fn direction_odds(
    carbon_and_nitrogen: [ArrayView3<f32>; 2],
    frame: &Frame,
    points: &[[f64; 3]],
    pairs: &[[i32; 2]],
    fractions: [f64; 2],
    floor: f64,
    control: &Control,
) -> Result<Vec<f32>> {
    check(points, pairs, &fractions)?;
    if !(floor.is_finite() && floor > 0.0) {
        return Err(Error::Parameter {
            name: "floor",
            rule: "positive and finite",
            value: floor,
        });
    }
    let mut found = Vec::with_capacity(pairs.len());
    let logarithm = |value: f32| (f64::from(value).max(0.0) + floor).ln();
    control.expect(pairs.len().div_ceil(CHUNK) as u64);
    for pairs in pairs.chunks(CHUNK) {
        let [carbon, nitrogen] = carbon_and_nitrogen;
        let carbon = sampled(carbon, frame, points, pairs, &fractions, control)?;
        let nitrogen = sampled(nitrogen, frame, points, pairs, &fractions, control)?;
        for (c, n) in carbon.chunks(2).zip(nitrogen.chunks(2)) {
            let odds = logarithm(c[0]) + logarithm(n[1]) - logarithm(n[0]) - logarithm(c[1]);
            found.push(odds as f32);
        }
        control.step()?;
    }
    Ok(found)
}

fn sampled(
    map: ArrayView3<f32>,
    frame: &Frame,
    points: &[[f64; 3]],
    pairs: &[[i32; 2]],
    fractions: &[f64],
    control: &Control,
) -> Result<Vec<f32>> {
    let mut places = Vec::with_capacity(pairs.len() * fractions.len());
    for &[i, j] in pairs {
        let (a, b) = (points[i as usize], points[j as usize]);
        places.extend(
            fractions
                .iter()
                .map(|&t| std::array::from_fn(|axis| a[axis] + t * (b[axis] - a[axis]))),
        );
    }
    interpolate(map, frame, &places, Order::Linear, 0.0, control)
}

fn check(points: &[[f64; 3]], pairs: &[[i32; 2]], fractions: &[f64]) -> Result<()> {
    super::check_points(points)?;
    check_edges(points.len(), pairs)?;
    if fractions.is_empty() {
        return Err(Error::Empty("there are no places along the bonds to look at"));
    }
    match fractions.iter().find(|t| !(0.0..=1.0).contains(*t)) {
        Some(&value) => Err(Error::Parameter {
            name: "fractions",
            rule: "from 0 to 1",
            value,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    fn frame() -> Frame {
        Frame::new([3, 3, 9], [1.0; 3], [0.0; 3]).unwrap()
    }

    /// 1 along a line but for a hole at x = 5.
    fn ridge() -> Array3<f32> {
        let mut map = Array3::zeros((3, 3, 9));
        for x in 0..9 {
            map[[1, 1, x]] = f32::from(x != 5);
        }
        map
    }

    #[test]
    fn a_hole_is_seen_and_what_lies_outside_is_nothing() {
        let points = [[0.0, 1.0, 1.0], [4.0, 1.0, 1.0], [8.0, 1.0, 1.0], [12.0, 1.0, 1.0]];
        let pairs = [[0, 1], [1, 2], [2, 3]];
        let found = along_bonds(
            ridge().view(),
            &frame(),
            &points,
            &pairs,
            &[0.25, 0.5, 0.75],
            &Control::default(),
        )
        .unwrap();
        assert_eq!(found.least, [1.0, 0.0, 0.0]);
        assert_eq!(found.mean, [1.0, 2.0 / 3.0, 0.0]);
    }

    #[test]
    fn the_chain_runs_where_carbon_comes_first() {
        let (mut carbon, mut nitrogen) = (Array3::zeros((3, 3, 9)), Array3::zeros((3, 3, 9)));
        carbon[[1, 1, 3]] = 0.5;
        nitrogen[[1, 1, 5]] = 0.5;
        let points = [[0.0, 1.0, 1.0], [8.0, 1.0, 1.0], [0.0, 0.0, 0.0]];
        let maps = [carbon.view(), nitrogen.view()];
        let pairs = [[0, 1], [1, 0], [0, 2]];
        let fractions = [0.375, 0.625];
        let odds = direction_odds(maps, &frame(), &points, &pairs, fractions, 0.01, &Control::default()).unwrap();
        assert!(odds[0] > 7.0 && odds[1] == -odds[0] && odds[2] == 0.0);
    }

    #[test]
    fn bad_input_is_refused() {
        let (map, control) = (ridge(), Control::default());
        let along = |pairs: &[[i32; 2]], fractions: &[f64]| {
            along_bonds(map.view(), &frame(), &[[0.0; 3]; 2], pairs, fractions, &control)
        };
        assert!(along(&[[0, 2]], &[0.5]).is_err());
        assert!(along(&[[0, 1]], &[]).is_err());
        assert!(along(&[[0, 1]], &[f64::NAN]).is_err());
        assert_eq!(along(&[], &[0.5]), Ok(Along::default()));
    }
}
