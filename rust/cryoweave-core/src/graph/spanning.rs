//! Connected components and minimum spanning trees.
use rayon::prelude::*;

use super::{check_edges, check_weights};
use crate::control::Control;
use crate::error::Result;

/// Fewer edges than this are sorted at once.
const SMALL: usize = 4096;
const CHUNK: usize = 1 << 15;

/// Disjoint sets of nodes.
pub(super) struct Sets(Vec<u32>);

impl Sets {
    pub(super) fn new(nodes: usize) -> Self {
        Self((0..nodes as u32).collect())
    }

    /// The set's representative; halves the way to it.
    #[inline]
    pub(super) fn find(&mut self, mut node: u32) -> u32 {
        loop {
            let parent = self.0[node as usize];
            if parent == node {
                return node;
            }
            let above = self.0[parent as usize];
            self.0[node as usize] = above;
            node = above;
        }
    }

    /// Join two sets; false if they are one already. The lower representative stays.
    #[inline]
    pub(super) fn join(&mut self, a: u32, b: u32) -> bool {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a.max(b) as usize] = a.min(b);
        a != b
    }

    /// Make them all new sets again.
    pub(super) fn reset(&mut self, nodes: usize) {
        self.0.clear();
        self.0.extend(0..nodes as u32);
    }
}

/// The component of each node; components are numbered by their first node.
pub fn connected_components(nodes: usize, edges: &[[i32; 2]], control: &Control) -> Result<Vec<i32>> {
    check_edges(nodes, edges)?;
    let mut sets = Sets::new(nodes);
    for chunk in edges.chunks(CHUNK) {
        control.check()?;
        for e in chunk {
            sets.join(e[0] as u32, e[1] as u32);
        }
    }
    let mut labels: Vec<i32> = Vec::with_capacity(nodes);
    let mut next = 0;
    for node in 0..nodes as u32 {
        // The representative is the component's lowest node, so it has been numbered.
        let root = sets.find(node);
        labels.push(if root == node { next } else { labels[root as usize] });
        next += i32::from(root == node);
    }
    Ok(labels)
}

/// The edges of the minimum spanning forest, as ascending indices; of equal weights the lower index goes first.
pub fn minimum_spanning_tree(nodes: usize, edges: &[[i32; 2]], weights: &[f64], control: &Control) -> Result<Vec<i32>> {
    check_edges(nodes, edges)?;
    check_weights(edges, weights)?;
    let mut forest = Forest {
        sets: Sets::new(nodes),
        chosen: Vec::new(),
        wanted: nodes.saturating_sub(1),
    };
    let small = edges.len() <= SMALL.max(nodes);
    let pivot = if small { None } else { sampled_pivot(edges, weights) };
    // The lighter part first; of the heavier, only what still joins two trees is ever sorted.
    let mut light = select(edges, weights, |edge| pivot.is_none_or(|pivot| *edge <= pivot), control)?;
    forest.grow(&mut light, nodes, control)?;
    if let (Some(pivot), false) = (pivot, forest.is_complete()) {
        drop(light);
        let roots = forest.roots();
        let joins = |edge: &Keyed| *edge > pivot && roots[edge.ends[0] as usize] != roots[edge.ends[1] as usize];
        let mut heavy = select(edges, weights, joins, control)?;
        forest.grow(&mut heavy, nodes, control)?;
    }
    let mut used = vec![false; edges.len()];
    forest.chosen.iter().for_each(|&e| used[e as usize] = true);
    Ok((0..edges.len() as i32).filter(|&e| used[e as usize]).collect())
}

/// The edges that a rule wants, ready to be sorted.
fn select(
    edges: &[[i32; 2]],
    weights: &[f64],
    wanted: impl Fn(&Keyed) -> bool + Sync,
    control: &Control,
) -> Result<Vec<Keyed>> {
    let chunks: Vec<Vec<Keyed>> = edges
        .par_chunks(CHUNK)
        .zip(weights.par_chunks(CHUNK))
        .enumerate()
        .map(|(chunk, (edges, weights))| {
            control.check()?;
            let numbered = edges.iter().zip(weights).zip((chunk * CHUNK) as u32..);
            Ok(numbered
                .map(|((ends, weight), edge)| Keyed::new(ends, *weight, edge))
                .filter(&wanted)
                .collect())
        })
        .collect::<Result<_>>()?;
    Ok(chunks.concat())
}

/// An edge below which about a third lie: most trees are all but complete by then.
fn sampled_pivot(edges: &[[i32; 2]], weights: &[f64]) -> Option<Keyed> {
    let step = (edges.len() / 1023).max(1);
    let numbered = edges.iter().zip(weights).zip(0u32..).step_by(step);
    let mut sample: Vec<Keyed> = numbered
        .map(|((ends, weight), edge)| Keyed::new(ends, *weight, edge))
        .collect();
    sample.sort_unstable();
    sample.get(sample.len() / 3).copied()
}

/// An edge as it is sorted: by weight, then by index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Keyed {
    weight: u64,
    edge: u32,
    ends: [u32; 2],
}

impl Keyed {
    fn new(ends: &[i32; 2], weight: f64, edge: u32) -> Self {
        // Bits of a float, turned so that they sort as the number does; adding zero makes -0 equal to 0.
        let bits = (weight + 0.0).to_bits();
        let weight = if bits >> 63 == 1 { !bits } else { bits | (1 << 63) };
        Self {
            weight,
            edge,
            ends: ends.map(|end| end as u32),
        }
    }
}

struct Forest {
    sets: Sets,
    chosen: Vec<u32>,
    wanted: usize,
}

impl Forest {
    fn is_complete(&self) -> bool {
        self.chosen.len() == self.wanted
    }

    /// Filter-Kruskal, as above, down to parts that are small enough to sort.
    fn grow(&mut self, edges: &mut [Keyed], nodes: usize, control: &Control) -> Result<()> {
        control.check()?;
        if self.is_complete() {
            return Ok(());
        }
        if edges.len() <= SMALL.max(nodes / 2) {
            edges.par_sort_unstable();
            for edge in edges {
                if self.sets.join(edge.ends[0], edge.ends[1]) {
                    self.chosen.push(edge.edge);
                }
            }
            return Ok(());
        }
        let middle = edges.len() / 2;
        edges.select_nth_unstable(middle);
        let (light, heavy) = edges.split_at_mut(middle);
        self.grow(light, nodes, control)?;
        let roots = self.roots();
        let left = partition(heavy, |edge| {
            roots[edge.ends[0] as usize] != roots[edge.ends[1] as usize]
        });
        self.grow(&mut heavy[..left], nodes, control)
    }

    /// The representative of every node. Parents have lower numbers, so going up once in order is enough.
    fn roots(&mut self) -> &[u32] {
        let parents = &mut self.sets.0;
        for node in 0..parents.len() {
            parents[node] = parents[parents[node] as usize];
        }
        parents
    }
}

/// Bring to the front the edges that a rule wants; how many.
fn partition(edges: &mut [Keyed], wanted: impl Fn(&Keyed) -> bool) -> usize {
    let mut kept = 0;
    for i in 0..edges.len() {
        let goes = wanted(&edges[i]);
        edges.swap(kept, i);
        kept += usize::from(goes);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_weights_the_first_edges_are_taken() {
        let edges = [[0, 1], [1, 2], [2, 0], [3, 4], [3, 4]];
        let tree = minimum_spanning_tree(5, &edges, &[1.0, 1.0, 1.0, -0.0, 0.0], &Control::default());
        assert_eq!(tree, Ok(vec![0, 1, 3]));
    }

    #[test]
    fn components_are_numbered_by_their_first_node() {
        let labels = connected_components(6, &[[4, 1], [5, 2]], &Control::default());
        assert_eq!(labels, Ok(vec![0, 1, 2, 3, 1, 2]));
        assert_eq!(connected_components(0, &[], &Control::default()), Ok(vec![]));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let control = Control::default();
        assert!(minimum_spanning_tree(2, &[[0, 2]], &[1.0], &control).is_err());
        assert!(minimum_spanning_tree(2, &[[0, 0]], &[1.0], &control).is_err());
        assert!(minimum_spanning_tree(2, &[[0, -1]], &[1.0], &control).is_err());
        assert!(minimum_spanning_tree(2, &[[0, 1]], &[f64::NAN], &control).is_err());
        assert!(minimum_spanning_tree(2, &[[0, 1]], &[], &control).is_err());
    }
}
