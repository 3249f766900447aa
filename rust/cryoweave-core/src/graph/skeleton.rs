//! The long branches of a forest: what is left of a trace when its side branches are cut off.
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::spanning::Sets;
use super::{check_edges, check_not_negative, check_weights};
use crate::control::Control;
use crate::error::{Error, Result};

/// Cut off side branches shorter than `shortest`, the shortest first, and return what stays as paths between nodes
/// that are an end or a fork.
///
/// A side branch runs from a leaf to the first fork; it is measured again whenever a fork that it ended at is gone. A
/// component that is a single path has no side branch and stays whole. Paths come in the order of their first node.
pub fn skeleton(
    nodes: usize,
    edges: &[[i32; 2]],
    lengths: &[f64],
    shortest: f64,
    control: &Control,
) -> Result<Vec<Vec<i32>>> {
    check_edges(nodes, edges)?;
    check_weights(edges, lengths)?;
    check_not_negative(lengths)?;
    check_forest(nodes, edges)?;
    if !(shortest.is_finite() && shortest >= 0.0) {
        return Err(Error::Parameter {
            name: "shortest",
            rule: "zero or more",
            value: shortest,
        });
    }
    let mut tree = Pruned::new(nodes, edges, lengths);
    tree.prune(shortest, control)?;
    Ok(tree.paths())
}

fn check_forest(nodes: usize, edges: &[[i32; 2]]) -> Result<()> {
    let mut sets = Sets::new(nodes);
    match edges.iter().position(|e| !sets.join(e[0] as u32, e[1] as u32)) {
        Some(row) => Err(Error::Row {
            what: "an edge closes a cycle",
            row,
        }),
        None => Ok(()),
    }
}

/// A forest from which branches are taken away.
struct Pruned {
    /// Neighbours that are left, ascending, with the edge's length.
    around: Vec<Vec<(u32, f64)>>,
}

/// A branch from its leaf inward, the fork at its end left out.
struct Branch {
    nodes: Vec<u32>,
    fork: u32,
    length: f64,
}

/// Orders branches in the heap: by length, then by leaf, so that ties do not depend on chance.
#[derive(PartialEq)]
struct Entry(f64, u32);

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1))
    }
}

impl Pruned {
    fn new(nodes: usize, edges: &[[i32; 2]], lengths: &[f64]) -> Self {
        let mut around = vec![Vec::new(); nodes];
        for (edge, &length) in edges.iter().zip(lengths) {
            around[edge[0] as usize].push((edge[1] as u32, length));
            around[edge[1] as usize].push((edge[0] as u32, length));
        }
        around.iter_mut().for_each(|list| list.sort_by_key(|&(node, _)| node));
        Self { around }
    }

    fn prune(&mut self, shortest: f64, control: &Control) -> Result<()> {
        let leaves = (0..self.around.len() as u32).filter_map(|leaf| Some((leaf, self.branch(leaf)?)));
        let mut waiting: BinaryHeap<Reverse<Entry>> = leaves
            .filter(|(_, branch)| branch.length < shortest)
            .map(|(leaf, branch)| Reverse(Entry(branch.length, leaf)))
            .collect();
        while let Some(Reverse(Entry(length, leaf))) = waiting.pop() {
            control.check()?;
            let Some(branch) = self.branch(leaf) else { continue };
            if branch.length > length {
                // The fork that it ended at is gone since it was measured.
                if branch.length < shortest {
                    waiting.push(Reverse(Entry(branch.length, leaf)));
                }
                continue;
            }
            self.cut(&branch);
        }
        Ok(())
    }

    /// The side branch that begins at a leaf; `None` if the node is no leaf, or its component has no fork.
    fn branch(&self, leaf: u32) -> Option<Branch> {
        let [(mut node, mut length)] = self.around[leaf as usize][..] else {
            return None;
        };
        let mut nodes = vec![leaf];
        let mut last = leaf;
        while let [a, b] = self.around[node as usize][..] {
            nodes.push(node);
            let (next, step) = if a.0 == last { b } else { a };
            (last, node) = (node, next);
            length += step;
        }
        let fork = self.around[node as usize].len() > 2;
        fork.then_some(Branch {
            nodes,
            fork: node,
            length,
        })
    }

    fn cut(&mut self, branch: &Branch) {
        let inner = branch.nodes.last().copied();
        self.around[branch.fork as usize].retain(|&(node, _)| Some(node) != inner);
        branch.nodes.iter().for_each(|&node| self.around[node as usize].clear());
    }

    /// Every path between nodes that do not have just two neighbours, once.
    fn paths(&self) -> Vec<Vec<i32>> {
        let mut paths = Vec::new();
        for (start, list) in self.around.iter().enumerate().filter(|(_, list)| list.len() != 2) {
            for &(first, _) in list {
                let path = self.walk(start as u32, first);
                let (end, before) = (path[path.len() - 1], path[path.len() - 2]);
                if (start as u32, first) <= (end, before) {
                    paths.push(path.into_iter().map(|node| node as i32).collect());
                }
            }
        }
        paths
    }

    fn walk(&self, start: u32, first: u32) -> Vec<u32> {
        let mut path = vec![start, first];
        let (mut last, mut node) = (start, first);
        while let [a, b] = self.around[node as usize][..] {
            let next = if a.0 == last { b.0 } else { a.0 };
            (last, node) = (node, next);
            path.push(node);
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(edges: &[[i32; 2]], lengths: &[f64], shortest: f64) -> Result<Vec<Vec<i32>>> {
        skeleton(16, edges, lengths, shortest, &Control::default())
    }

    #[test]
    fn a_twig_goes_and_the_path_through_its_fork_is_one() {
        let edges = [[0, 1], [1, 2], [2, 3], [1, 4]];
        assert_eq!(cut(&edges, &[2.0, 2.0, 2.0, 1.0], 1.5), Ok(vec![vec![0, 1, 2, 3]]));
    }

    #[test]
    fn what_is_long_enough_stays_and_forks() {
        let edges = [[0, 1], [1, 2], [1, 3]];
        assert_eq!(
            cut(&edges, &[2.0, 2.0, 2.0], 2.0),
            Ok(vec![vec![0, 1], vec![1, 2], vec![1, 3]])
        );
    }

    #[test]
    fn the_shortest_twig_goes_first_and_saves_the_longer_one() {
        // Both twigs at 1 are short; when the shorter is gone, the longer is part of a path.
        let edges = [[0, 1], [1, 2], [1, 3]];
        assert_eq!(cut(&edges, &[9.0, 3.0, 2.0], 4.0), Ok(vec![vec![0, 1, 2]]));
    }

    #[test]
    fn a_component_without_a_fork_stays_however_short() {
        assert_eq!(cut(&[[5, 6]], &[0.1], 9.0), Ok(vec![vec![5, 6]]));
    }

    #[test]
    fn a_cycle_is_refused() {
        let edges = [[0, 1], [1, 2], [2, 0]];
        assert!(matches!(cut(&edges, &[1.0; 3], 1.0), Err(Error::Row { row: 2, .. })));
    }
}
