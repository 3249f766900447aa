//! Thinning of points: the densest stand, and take in those around them.
use crate::control::Control;
use crate::error::{Error, Result, same_length};
use crate::graph::{Cells, check_points};

/// The owner of a point that was left out.
pub const NO_OWNER: i32 = -1;

/// Who stands, and who belongs to whom.
#[derive(Debug, Default, PartialEq)]
pub struct Merged {
    /// Points that stand, densest first.
    pub survivors: Vec<i32>,
    /// For every point, the place in `survivors` of the one that took it in, or [`NO_OWNER`].
    pub owner: Vec<i32>,
}

/// Go through the points from the densest down (ties: the lower index first). A point closer than `radius` to one that
/// stands is taken in by the densest such; any other stands itself. Points that `keep` leaves out play no part.
pub fn merge_points(
    points: &[[f64; 3]],
    density: &[f32],
    radius: f64,
    keep: Option<&[bool]>,
    control: &Control,
) -> Result<Merged> {
    check(points, density, radius, keep)?;
    let mut ranked: Vec<u32> = (0..points.len() as u32)
        .filter(|&i| keep.is_none_or(|keep| keep[i as usize]))
        .collect();
    ranked.sort_unstable_by(|&a, &b| density[b as usize].total_cmp(&density[a as usize]).then(a.cmp(&b)));
    let cells = Cells::new(points, radius);
    let around = cells.surroundings();
    // Survivors of each cell, densest first: few, since they are a radius apart.
    let mut standing: Vec<Vec<u32>> = vec![Vec::new(); cells.len()];
    let mut merged = Merged {
        survivors: Vec::new(),
        owner: vec![NO_OWNER; points.len()],
    };
    for (turn, &i) in ranked.iter().enumerate() {
        if turn % 1024 == 0 {
            control.check()?;
        }
        let at = points[i as usize];
        let cell = cells.cell_of(i as usize);
        let near = around[cell]
            .iter()
            .flat_map(|&(first, last)| &standing[first as usize..last as usize]);
        let taken_by = near
            .filter_map(|those| {
                those.iter().copied().find(|&s| {
                    let other = points[merged.survivors[s as usize] as usize];
                    (0..3).map(|a| (other[a] - at[a]).powi(2)).sum::<f64>() < radius * radius
                })
            })
            .min();
        merged.owner[i as usize] = match taken_by {
            Some(survivor) => survivor as i32,
            None => {
                standing[cell].push(merged.survivors.len() as u32);
                merged.survivors.push(i as i32);
                merged.survivors.len() as i32 - 1
            }
        };
    }
    Ok(merged)
}

fn check(points: &[[f64; 3]], density: &[f32], radius: f64, keep: Option<&[bool]>) -> Result<()> {
    check_points(points)?;
    let length = |what, right| same_length(what, points.len(), right);
    length("points and densities differ in length", density.len())?;
    length(
        "points and keep differ in length",
        keep.map_or(points.len(), <[bool]>::len),
    )?;
    if let Some(row) = density.iter().position(|d| !d.is_finite()) {
        return Err(Error::Row {
            what: "a density is not finite",
            row,
        });
    }
    if !(radius.is_finite() && radius > 0.0) {
        return Err(Error::Parameter {
            name: "radius",
            rule: "positive and finite",
            value: radius,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_denser_takes_in_and_a_chain_is_not_swallowed() {
        let points = [[0.0; 3], [0.9, 0.0, 0.0], [1.8, 0.0, 0.0], [9.0, 0.0, 0.0]];
        let merged = merge_points(&points, &[1.0, 2.0, 1.5, 0.1], 1.0, None, &Control::default()).unwrap();
        assert_eq!(
            merged,
            Merged {
                survivors: vec![1, 3],
                owner: vec![0, 0, 0, 1]
            }
        );
        let keep = [true, false, true, true];
        let merged = merge_points(&points, &[1.0, 2.0, 1.5, 0.1], 1.0, Some(&keep), &Control::default()).unwrap();
        assert_eq!(
            merged,
            Merged {
                survivors: vec![2, 0, 3],
                owner: vec![1, -1, 0, 2]
            }
        );
    }

    #[test]
    fn nothing_in_nothing_out() {
        let merged = merge_points(&[], &[], 1.0, None, &Control::default());
        assert_eq!(merged, Ok(Merged::default()));
    }
}
