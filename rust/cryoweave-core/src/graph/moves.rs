//! Random moves from one spanning tree to another.
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

use super::Adjacency;
use super::tree::{Move, Rooted};

/// Failed draws allowed for every move wanted.
const PATIENCE: usize = 4;

/// The graph in which trees are sought.
#[derive(Clone, Copy)]
pub struct Candidates<'a> {
    /// How many nodes.
    pub nodes: usize,
    /// Edges that a tree may be made of.
    pub edges: &'a [[i32; 2]],
    /// Their lengths, which bound a tree's total; none below zero.
    pub lengths: &'a [f64],
    /// Their scores, of which paths are made; none below zero.
    pub scores: &'a [f64],
    /// The edges of the tree to start from; it spans all nodes.
    pub start: &'a [i32],
    /// Which edges are never cut.
    pub frozen: &'a [bool],
}

/// What moves are drawn from.
pub(super) struct Sampler<'a> {
    graph: Candidates<'a>,
    links: Adjacency,
    most_links: usize,
    /// All edges from the shortest.
    by_length: Vec<u32>,
    /// No tree may be longer.
    longest: f64,
}

impl<'a> Sampler<'a> {
    pub(super) fn new(graph: Candidates<'a>, longest: f64) -> Self {
        let links = Adjacency::new(graph.nodes, graph.edges, 0..graph.edges.len());
        let most_links = (0..graph.nodes).map(|node| links.of(node).len()).max().unwrap_or(0);
        let mut by_length: Vec<u32> = (0..graph.edges.len() as u32).collect();
        by_length.sort_by(|&a, &b| graph.lengths[a as usize].total_cmp(&graph.lengths[b as usize]));
        Self {
            graph,
            links,
            most_links,
            by_length,
            longest,
        }
    }

    /// At most `wanted` moves: a tree edge that is not frozen, any with equal chance, and of the edges that rejoin the
    /// halves within the length allowed, again any with equal chance.
    pub(super) fn draw(&self, tree: &Rooted, length: f64, wanted: usize, random: &mut ChaCha8Rng) -> Vec<Move> {
        let Candidates { lengths, frozen, .. } = self.graph;
        let edges = tree.edge.iter().zip(0u32..).skip(1);
        let loose: Vec<u32> = edges
            .filter(|(e, _)| !frozen[**e as usize])
            .map(|(_, place)| place)
            .collect();
        let mut moves = Vec::with_capacity(wanted);
        if loose.is_empty() {
            return moves;
        }
        let freed = |place: u32| self.longest - length + lengths[tree.edge[place as usize] as usize];
        let spare = self.outside(tree, loose.iter().map(|&place| freed(place)).fold(0.0, f64::max));
        for _ in 0..wanted.saturating_mul(PATIENCE) {
            if moves.len() == wanted {
                break;
            }
            let top = loose[below(random, loose.len())];
            moves.extend(self.rejoin(&Cut::new(tree, top), freed(top), &spare, random));
        }
        moves
    }

    /// Edges that the tree does not have and that are at most this long, from the shortest.
    fn outside(&self, tree: &Rooted, room: f64) -> Vec<u32> {
        let has = |e: u32| {
            let [a, b] = self.graph.edges[e as usize].map(|node| tree.place[node as usize] as usize);
            tree.edge[a] == e || tree.edge[b] == e
        };
        let short = self
            .by_length
            .iter()
            .copied()
            .take_while(|&e| self.graph.lengths[e as usize] <= room);
        short.filter(|&e| !has(e)).collect()
    }

    /// Look among the short edges, or among the links of the smaller side, whichever are fewer.
    fn rejoin(&self, cut: &Cut, room: f64, spare: &[u32], random: &mut ChaCha8Rng) -> Option<Move> {
        let short = &spare[..spare.partition_point(|&e| self.graph.lengths[e as usize] <= room)];
        let links = cut.side * self.most_links;
        if short.len() <= links {
            return pick(short.len(), |i| self.crossing(cut, short[i], room), random);
        }
        let link = |i: usize| {
            let node = cut.tree.node[cut.place(i / self.most_links) as usize] as usize;
            let &(_, add) = self.links.of(node).get(i % self.most_links)?;
            self.crossing(cut, add, room)
        };
        pick(links, link, random)
    }

    /// The move that adds this edge, if it rejoins the halves and is short enough.
    fn crossing(&self, cut: &Cut, add: u32, room: f64) -> Option<Move> {
        let [a, b] = self.graph.edges[add as usize].map(|node| cut.tree.place[node as usize]);
        let is_inner = cut.tree.is_below(a, cut.top);
        if is_inner == cut.tree.is_below(b, cut.top) || add == cut.edge || self.graph.lengths[add as usize] > room {
            return None;
        }
        let (inner, outer) = if is_inner { (a, b) } else { (b, a) };
        Some(Move {
            cut: cut.top,
            add,
            inner,
            outer,
            weight: self.graph.scores[add as usize],
        })
    }
}

/// One of the moves that there are, any with equal chance. Guessing finds one at once where they are many; where they
/// are few, list them.
fn pick(count: usize, at: impl Fn(usize) -> Option<Move>, random: &mut ChaCha8Rng) -> Option<Move> {
    if count == 0 {
        return None;
    }
    for _ in 0..count / 16 {
        if let Some(found) = at(below(random, count)) {
            return Some(found);
        }
    }
    let all: Vec<Move> = (0..count).filter_map(at).collect();
    if all.is_empty() {
        None
    } else {
        all.get(below(random, all.len())).copied()
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
