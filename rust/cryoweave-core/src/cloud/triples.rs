//! Motions that three correspondences each fix: many guesses, for something else to judge.
use rayon::prelude::*;

use super::clique::{Graph, ones};
use super::{Motion, positive};
use crate::control::Control;
use crate::error::{Result, same_length};
use crate::graph::check_points;
use crate::metrics::superpose;
use crate::vector::{minus, norm};

/// Which triples count.
#[derive(Clone, Copy, Debug)]
pub struct TripleRules {
    /// How far a point may be off, in Å: sides of the two triangles may differ by twice that.
    pub noise: f64,
    /// Shorter sides, in Å, do not fix a rotation.
    pub least_side: f64,
    /// Of more triples only so many are taken, evenly spread over all.
    pub most: usize,
}

/// The motion of each three correspondences whose triangles agree, in the order of the correspondences.
pub fn triple_motions(
    mobile: &[[f64; 3]],
    target: &[[f64; 3]],
    rules: TripleRules,
    control: &Control,
) -> Result<Vec<Motion>> {
    check_points(mobile)?;
    check_points(target)?;
    same_length("the clouds differ in number of points", mobile.len(), target.len())?;
    positive("noise", rules.noise)?;
    positive("least_side", rules.least_side)?;
    let agree = |i: usize, j: usize| {
        let a = norm(minus(mobile[i], mobile[j]));
        let b = norm(minus(target[i], target[j]));
        a.min(b) >= rules.least_side && (a - b).abs() <= 2.0 * rules.noise
    };
    let graph = Graph::new(mobile.len(), agree)?;
    let chosen = triangles(&graph, mobile.len(), rules.most, control)?;
    let wide = |triple: &&[usize; 3]| height(triple.map(|i| mobile[i])) >= 0.5 * rules.least_side;
    control.expect(chosen.len() as u64);
    chosen
        .par_iter()
        .filter(wide)
        .map(|triple| {
            control.step()?;
            let found = superpose(&triple.map(|i| mobile[i]), &triple.map(|i| target[i]), None)?;
            Ok(Motion {
                rotation: found.rotation,
                translation: found.translation,
            })
        })
        .collect()
}

/// All triangles of a graph, or every so many-th so that there are at most `most`.
fn triangles(graph: &Graph, nodes: usize, most: usize, control: &Control) -> Result<Vec<[usize; 3]>> {
    let above = |i: usize, j: usize| -> Vec<u64> {
        let mut shared = graph.shared(i, j);
        // Only nodes after both, so that each triangle comes once.
        shared.iter_mut().take(j / 64).for_each(|word| *word = 0);
        if let Some(word) = shared.get_mut(j / 64) {
            *word &= (!0_u64).checked_shl((j % 64 + 1) as u32).unwrap_or(0);
        }
        shared
    };
    let edges: Vec<(usize, usize)> = (0..nodes)
        .flat_map(|i| ones(graph.row(i)).filter(move |&j| j > i).map(move |j| (i, j)))
        .collect();
    let mut all = 0;
    for &(i, j) in &edges {
        control.check()?;
        all += above(i, j).iter().map(|word| word.count_ones() as usize).sum::<usize>();
    }
    let stride = all.div_ceil(most.max(1)).max(1);
    let (mut chosen, mut at) = (Vec::new(), 0);
    for &(i, j) in &edges {
        control.check()?;
        for k in ones(&above(i, j)) {
            if at % stride == 0 {
                chosen.push([i, j, k]);
            }
            at += 1;
        }
    }
    Ok(chosen)
}

/// The smallest height of a triangle.
fn height([a, b, c]: [[f64; 3]; 3]) -> f64 {
    let (u, v) = (minus(b, a), minus(c, a));
    let twice_area = norm([
        u[1] * v[2] - u[2] * v[1],
        u[2] * v[0] - u[0] * v[2],
        u[0] * v[1] - u[1] * v[0],
    ]);
    let longest = norm(u).max(norm(v)).max(norm(minus(c, b)));
    if longest > 0.0 { twice_area / longest } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;

    const RULES: TripleRules = TripleRules {
        noise: 0.5,
        least_side: 5.0,
        most: 100_000,
    };

    #[test]
    fn every_triangle_of_right_pairs_gives_the_motion() {
        let truth = scene::motion([1.0, 1.0, -0.3], 65.0, [4.0, -9.0, 20.0]);
        let mobile = scene::points(70, 60.0, 4);
        let target: Vec<_> = mobile.iter().map(|&p| truth.apply(p)).collect();
        let control = Control::default();
        let all = triple_motions(&mobile, &target, RULES, &control).unwrap();
        // Nearly all of 70 · 69 · 68 / 6.
        assert!(all.len() > 40_000 && all.len() <= 54_740);
        for found in &all {
            let (angle, shift) = scene::apart(&truth, found);
            assert!(angle < 1e-4 && shift < 1e-4, "{angle} {shift}");
        }
        let few = triple_motions(&mobile, &target, TripleRules { most: 100, ..RULES }, &control).unwrap();
        assert!((60..=100).contains(&few.len()));
    }

    #[test]
    fn lines_and_specks_give_none() {
        let line: Vec<[f64; 3]> = (0..9).map(|i| [9.0 * f64::from(i), 0.0, 0.0]).collect();
        let control = Control::default();
        assert!(triple_motions(&line, &line, RULES, &control).unwrap().is_empty());
        assert!(
            triple_motions(&[[1.0; 3]; 9], &[[1.0; 3]; 9], RULES, &control)
                .unwrap()
                .is_empty()
        );
        assert!(triple_motions(&[], &[], RULES, &control).unwrap().is_empty());
        assert!(triple_motions(&line, &line, TripleRules { most: 0, ..RULES }, &control).is_ok());
    }
}
