//! Graphs over points: neighbours, contacts, spanning trees and their refinement.

mod bonds;
mod cells;
mod contacts;
mod diversity;
mod local;
mod moves;
mod nearest;
mod neighbours;
mod order;
mod paths;
mod routes;
mod score;
mod skeleton;
mod spanning;
mod tabu;
mod tour;
mod tree;

pub use bonds::{Along, along_bonds, direction_odds};
pub(crate) use cells::{Cells, check_points};
pub use contacts::contact_edges;
pub use local::local_spanning_edges;
pub use moves::Candidates;
pub(crate) use nearest::Tree;
pub use nearest::{Nearest, nearest};
pub use neighbours::{Pairs, neighbour_pairs};
pub use order::{Annealing, Order, order_segments};
pub use paths::longest_path;
pub use routes::{Routes, Task, find_routes};
pub use skeleton::skeleton;
pub use spanning::{connected_components, minimum_spanning_tree};
pub use tabu::{Search, Trajectory, tabu_trees};

use crate::error::{Error, Result, same_length};

/// Refuse edges that name a node outside of `0..nodes`, or join a node to itself.
fn check_edges(nodes: usize, edges: &[[i32; 2]]) -> Result<()> {
    if nodes > i32::MAX as usize || edges.len() > i32::MAX as usize {
        return Err(Error::Parameter {
            name: "nodes and edges",
            rule: "fewer than 2^31",
            value: nodes as f64,
        });
    }
    let outside = |node: i32| usize::try_from(node).map_or(true, |node| node >= nodes);
    if let Some(row) = edges.iter().position(|e| outside(e[0]) || outside(e[1])) {
        return Err(Error::Row {
            what: "an edge names a node that does not exist",
            row,
        });
    }
    if let Some(row) = edges.iter().position(|e| e[0] == e[1]) {
        return Err(Error::Row {
            what: "an edge joins a node to itself",
            row,
        });
    }
    Ok(())
}

/// Refuse weights that are not as many as the edges, or not finite.
fn check_weights(edges: &[[i32; 2]], weights: &[f64]) -> Result<()> {
    same_length("edges and weights differ in length", edges.len(), weights.len())?;
    match weights.iter().position(|w| !w.is_finite()) {
        Some(row) => Err(Error::Row {
            what: "an edge's weight is not finite",
            row,
        }),
        None => Ok(()),
    }
}

/// Refuse a weight below zero.
fn check_not_negative(weights: &[f64]) -> Result<()> {
    match weights.iter().position(|&w| w < 0.0) {
        Some(row) => Err(Error::Row {
            what: "an edge's weight is negative",
            row,
        }),
        None => Ok(()),
    }
}

/// The edges around each node, node by node.
struct Adjacency {
    starts: Vec<u32>,
    /// (the node at the other end, the edge).
    links: Vec<(u32, u32)>,
}

impl Adjacency {
    /// Of the listed edges only; the edges must have been checked.
    fn new(nodes: usize, edges: &[[i32; 2]], listed: impl Iterator<Item = usize> + Clone) -> Self {
        let mut starts = vec![0u32; nodes + 1];
        for e in listed.clone() {
            edges[e].iter().for_each(|&node| starts[node as usize + 1] += 1);
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let mut links = vec![(0, 0); starts[nodes] as usize];
        for e in listed {
            let [a, b] = edges[e].map(|node| node as usize);
            for (from, to) in [(a, b), (b, a)] {
                links[next[from] as usize] = (to as u32, e as u32);
                next[from] += 1;
            }
        }
        Self { starts, links }
    }

    fn of(&self, node: usize) -> &[(u32, u32)] {
        &self.links[self.starts[node] as usize..self.starts[node + 1] as usize]
    }
}
