//! Random moves from one spanning tree to another.
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

use super::Adjacency;
use super::tabu::Candidates;
use super::tree::{Move, Rooted};

/// Failed draws allowed for every move wanted.
const PATIENCE: usize = 4;

/// What moves are drawn from.
pub(super) struct Sampler<'a> {
    graph: Candidates<'a>,
    links: Adjacency,
    most_links: usize,
    /// No tree may be longer.
    longest: f64,
}

impl<'a> Sampler<'a> {
    pub(super) fn new(graph: Candidates<'a>, longest: f64) -> Self {
        let links = Adjacency::new(graph.nodes, graph.edges, 0..graph.edges.len());
        let most_links = (0..graph.nodes).map(|node| links.of(node).len()).max().unwrap_or(0);
        Self {
            graph,
            links,
            most_links,
            longest,
        }
    }

    /// At most `wanted` moves: a tree edge that is not frozen, any with equal chance, and of the edges that rejoin the
    /// halves within the length allowed, again any with equal chance.
    pub(super) fn draw(&self, tree: &Rooted, length: f64, wanted: usize, random: &mut ChaCha8Rng) -> Vec<Move> {
        let loose: Vec<u32> = (1..tree.node.len() as u32)
            .filter(|&place| !self.graph.frozen[tree.edge[place as usize] as usize])
            .collect();
        let mut moves = Vec::with_capacity(wanted);
        if loose.is_empty() {
            return moves;
        }
        for _ in 0..wanted.saturating_mul(PATIENCE) {
            if moves.len() == wanted {
                break;
            }
            let cut = Cut::new(tree, loose[below(random, loose.len())]);
            let room = self.longest - length + self.graph.lengths[cut.edge as usize];
            moves.extend(self.rejoin(&cut, room, random));
        }
        moves
    }

    fn rejoin(&self, cut: &Cut, room: f64, random: &mut ChaCha8Rng) -> Option<Move> {
        // Guessing finds an edge at once where many rejoin; where few do, list them.
        for _ in 0..(cut.side * self.most_links / 16).max(16) {
            let place = cut.place(below(random, cut.side));
            let links = self.links.of(cut.tree.node[place as usize] as usize);
            if let Some(&link) = links.get(below(random, self.most_links)) {
                if let Some(found) = self.crossing(cut, place, link, room) {
                    return Some(found);
                }
            }
        }
        let all: Vec<Move> = (0..cut.side)
            .flat_map(|i| {
                let place = cut.place(i);
                let links = self.links.of(cut.tree.node[place as usize] as usize);
                links
                    .iter()
                    .filter_map(move |&link| self.crossing(cut, place, link, room))
            })
            .collect();
        if all.is_empty() {
            None
        } else {
            all.get(below(random, all.len())).copied()
        }
    }

    /// The move that adds this link, if it rejoins the halves and is short enough.
    fn crossing(&self, cut: &Cut, place: u32, (other, add): (u32, u32), room: f64) -> Option<Move> {
        let there = cut.tree.place[other as usize];
        let is_inner = cut.tree.is_below(place, cut.top);
        let fits = add != cut.edge && self.graph.lengths[add as usize] <= room;
        if !fits || is_inner == cut.tree.is_below(there, cut.top) {
            return None;
        }
        let (inner, outer) = if is_inner { (place, there) } else { (there, place) };
        Some(Move {
            cut: cut.top,
            add,
            inner,
            outer,
            weight: self.graph.scores[add as usize],
        })
    }
}

/// A tree cut in two above a place, looked at from its smaller side.
struct Cut<'a> {
    tree: &'a Rooted,
    top: u32,
    edge: u32,
    side: usize,
}

impl<'a> Cut<'a> {
    fn new(tree: &'a Rooted, top: u32) -> Self {
        let below = tree.size[top as usize] as usize;
        let side = below.min(tree.node.len() - below);
        Self {
            tree,
            top,
            edge: tree.edge[top as usize],
            side,
        }
    }

    /// The places of the smaller side, numbered from 0.
    fn place(&self, i: usize) -> u32 {
        let size = self.tree.size[self.top as usize];
        let i = i as u32;
        if size as usize == self.side {
            self.top + i
        } else if i < self.top {
            i
        } else {
            i + size
        }
    }
}

/// A number below `n` (at least 1), the same on every machine.
fn below(random: &mut ChaCha8Rng, n: usize) -> usize {
    ((u64::from(random.next_u32()) * n as u64) >> 32) as usize
}
