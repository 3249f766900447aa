//! The heaviest path of a tree.
use super::spanning::Sets;
use super::{Adjacency, check_edges, check_not_negative, check_weights};
use crate::control::Control;
use crate::error::{Error, Result};

const NONE: u32 = u32::MAX;

/// Nodes of the heaviest path of a forest, from its lower end on, and the sum of its weights (none below zero).
///
/// Of equally heavy paths, that of the component with the lowest node is given; in it, ends are lower nodes first.
pub fn longest_path(nodes: usize, edges: &[[i32; 2]], weights: &[f64], control: &Control) -> Result<(Vec<i32>, f64)> {
    check_edges(nodes, edges)?;
    check_weights(edges, weights)?;
    check_not_negative(weights)?;
    let mut sets = Sets::new(nodes);
    if let Some(row) = edges.iter().position(|e| !sets.join(e[0] as u32, e[1] as u32)) {
        return Err(Error::Row {
            what: "an edge closes a cycle, so this is no tree",
            row,
        });
    }
    let links = Adjacency::new(nodes, edges, 0..edges.len());
    let mut sweep = Sweep {
        links: &links,
        weights,
        parent: vec![NONE; nodes],
        reach: vec![0.0; nodes],
        order: vec![],
    };
    let mut best: (Vec<i32>, f64) = (Vec::new(), -1.0);
    for node in 0..nodes as u32 {
        if sets.find(node) != node {
            continue;
        }
        control.check()?;
        let first = sweep.farthest(node);
        let last = sweep.farthest(first);
        if sweep.reach[last as usize] > best.1 {
            best = (sweep.way_from(last), sweep.reach[last as usize]);
        }
    }
    if best.0.first() > best.0.last() {
        best.0.reverse();
    }
    Ok((best.0, best.1.max(0.0)))
}

struct Sweep<'a> {
    links: &'a Adjacency,
    weights: &'a [f64],
    parent: Vec<u32>,
    reach: Vec<f64>,
    order: Vec<u32>,
}

impl Sweep<'_> {
    /// The node farthest from here in its tree; the lowest of equals.
    fn farthest(&mut self, from: u32) -> u32 {
        self.order.clear();
        self.order.push(from);
        self.parent[from as usize] = NONE;
        self.reach[from as usize] = 0.0;
        let mut best = from;
        let mut next = 0;
        while let Some(&node) = self.order.get(next) {
            next += 1;
            let reach = self.reach[node as usize];
            let farthest = self.reach[best as usize];
            if reach > farthest || (reach == farthest && node < best) {
                best = node;
            }
            for &(other, e) in self.links.of(node as usize) {
                if other != self.parent[node as usize] {
                    self.parent[other as usize] = node;
                    self.reach[other as usize] = reach + self.weights[e as usize];
                    self.order.push(other);
                }
            }
        }
        best
    }

    fn way_from(&self, mut node: u32) -> Vec<i32> {
        let mut way = Vec::new();
        while node != NONE {
            way.push(node as i32);
            node = self.parent[node as usize];
        }
        way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_component_wins_and_cycles_are_refused() {
        let control = Control::default();
        let edges = [[0, 1], [2, 4], [2, 3]];
        assert_eq!(
            longest_path(5, &edges, &[1.0, 2.0, 3.0], &control),
            Ok((vec![3, 2, 4], 5.0))
        );
        assert_eq!(longest_path(0, &[], &[], &control), Ok((vec![], 0.0)));
        assert_eq!(longest_path(2, &[], &[], &control), Ok((vec![0], 0.0)));
        assert!(longest_path(3, &[[0, 1], [1, 2], [2, 0]], &[1.0; 3], &control).is_err());
        assert!(longest_path(2, &[[0, 1]], &[-1.0], &control).is_err());
    }
}
