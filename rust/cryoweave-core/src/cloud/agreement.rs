//! How many points of a moved cloud find a partner that points the same way.
use rayon::prelude::*;

use super::{Motion, positive};
use crate::control::Control;
use crate::error::{Result, same_length};
use crate::graph::{Tree, check_points};
use crate::vector::dot;

/// What one motion reaches, as numbers of source points.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Agreement {
    /// The closest target point is near enough.
    pub matched: usize,
    /// That, and the two directions agree.
    pub agreeing: usize,
}

/// For each motion, the source points whose closest target point is within `within` Å, and those of them whose directions
/// have at least the given cosine.
pub fn agreement(
    source: (&[[f64; 3]], &[[f64; 3]]),
    target: (&[[f64; 3]], &[[f64; 3]]),
    motions: &[Motion],
    within: f64,
    cosine: f64,
    control: &Control,
) -> Result<Vec<Agreement>> {
    for (points, normals) in [source, target] {
        check_points(points)?;
        check_points(normals)?;
        same_length("points and normals differ in number", points.len(), normals.len())?;
    }
    positive("within", within)?;
    motions.iter().try_for_each(Motion::check)?;
    let tree = Tree::new(target.0);
    control.expect(motions.len() as u64);
    motions
        .par_iter()
        .map(|motion| {
            control.step()?;
            let mut found = Agreement::default();
            for (&point, &normal) in source.0.iter().zip(source.1) {
                let Some((d2, partner)) = tree.closest(motion.apply(point)) else {
                    continue;
                };
                if d2 <= within * within {
                    found.matched += 1;
                    found.agreeing += usize::from(dot(motion.turn(normal), target.1[partner]) >= cosine);
                }
            }
            Ok(found)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;

    #[test]
    fn the_true_motion_matches_all_and_a_wrong_one_few() {
        let (points, normals) = (scene::points(300, 60.0, 1), scene::directions(300, 2));
        let truth = scene::motion([0.0, 1.0, 1.0], 50.0, [5.0, 6.0, 7.0]);
        let moved: Vec<_> = points.iter().map(|&p| truth.apply(p)).collect();
        let turned: Vec<_> = normals.iter().map(|&n| truth.turn(n)).collect();
        let wrong = scene::motion([0.0, 1.0, 1.0], 90.0, [5.0, 6.0, 7.0]);
        let far = scene::motion([0.0, 1.0, 1.0], 50.0, [500.0, 6.0, 7.0]);
        let motions = [truth, wrong, far];
        let control = Control::default();
        let found = agreement((&points, &normals), (&moved, &turned), &motions, 5.0, 0.6, &control).unwrap();
        assert_eq!(
            found[0],
            Agreement {
                matched: 300,
                agreeing: 300
            }
        );
        assert!(found[1].agreeing < 120);
        assert_eq!(found[2], Agreement::default());
        let none = agreement((&points, &normals), (&[], &[]), &motions, 5.0, 0.6, &control).unwrap();
        assert_eq!(none, vec![Agreement::default(); 3]);
    }
}
