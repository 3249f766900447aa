//! Refinement of a spanning tree by tabu search, towards few long paths of high score.
use std::collections::VecDeque;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

use super::diversity::Earlier;
use super::moves::{Candidates, Sampler};
use super::score::{Evaluator, MOST_BRANCHES};
use super::spanning::Sets;
use super::tree::{Move, Rooted};
use super::{check_edges, check_not_negative, check_weights};
use crate::control::Control;
use crate::error::{Error, Result, same_length};

/// Places swept in one round below which a second thread costs more than it saves.
const WORTH_THREADS: usize = 1 << 17;

/// How to search.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// Steps of each trajectory.
    pub rounds: usize,
    /// Random moves that each step chooses from.
    pub neighbours: usize,
    /// Moves that are remembered, and neither made again nor undone.
    pub tabu: usize,
    /// A tree's total length is at most this many times the start's.
    pub stretch: f64,
    /// Independent searches, one after the other.
    pub trajectories: usize,
    /// Paths more alike than this to an earlier trajectory's are no result.
    pub similarity: f64,
    /// Of the random numbers.
    pub seed: u64,
}

/// The best tree of a trajectory.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// Its edges, ascending.
    pub edges: Vec<i32>,
    /// The sum of the squared scores of its first 100 branches.
    pub score: f64,
    /// Its nodes as the heaviest path, then the heaviest branch that hangs on what was taken before, and so on.
    pub branches: Vec<Vec<i32>>,
}

/// Search from the same start several times; each trajectory must end with a heaviest path unlike the earlier ones'.
///
/// A step draws random moves (cut an edge that is not frozen, add one that rejoins the halves, within the length
/// allowed) and makes the best that is not tabu. A trajectory that meets no tree with a new path gives no result, so
/// there may be fewer results than trajectories.
pub fn tabu_trees(graph: Candidates, search: Search, control: &Control) -> Result<Vec<Trajectory>> {
    check(&graph, &search)?;
    control.expect((search.trajectories * search.rounds) as u64);
    let start: Vec<u32> = graph.start.iter().map(|&e| e as u32).collect();
    let sampler = Sampler::new(graph, search.stretch * total(graph.lengths, &start));
    let mut earlier = Earlier::new(graph.nodes, search.similarity);
    let mut found = Vec::new();
    for trajectory in 0..search.trajectories {
        let mut random = ChaCha8Rng::seed_from_u64(search.seed);
        random.set_stream(trajectory as u64);
        let mut walk = Walk::new(graph, &start, &mut earlier);
        for _ in 0..search.rounds {
            control.step()?;
            walk.step(&search, &sampler, &mut random, &mut earlier, control)?;
        }
        if let Some((_, tree)) = walk.best {
            let result = describe(graph, tree);
            earlier.remember(&path_of(&result));
            found.push(result);
        }
    }
    Ok(found)
}

fn check(graph: &Candidates, search: &Search) -> Result<()> {
    check_edges(graph.nodes, graph.edges)?;
    check_weights(graph.edges, graph.lengths)?;
    check_weights(graph.edges, graph.scores)?;
    check_not_negative(graph.lengths)?;
    check_not_negative(graph.scores)?;
    same_length(
        "edges and frozen differ in length",
        graph.edges.len(),
        graph.frozen.len(),
    )?;
    if !(search.stretch.is_finite() && search.stretch >= 1.0) {
        return Err(Error::Parameter {
            name: "stretch",
            rule: "at least 1 and finite",
            value: search.stretch,
        });
    }
    if search.similarity.is_nan() || search.similarity < 0.0 {
        return Err(Error::Parameter {
            name: "similarity",
            rule: "0 or more",
            value: search.similarity,
        });
    }
    let mut sets = Sets::new(graph.nodes);
    let mut joins = |e: i32| {
        let edge = usize::try_from(e).ok().and_then(|e| graph.edges.get(e));
        edge.is_some_and(|ends| sets.join(ends[0] as u32, ends[1] as u32))
    };
    if let Some(row) = graph.start.iter().position(|&e| !joins(e)) {
        return Err(Error::Row {
            what: "the start is no tree: an edge closes a cycle or does not exist",
            row,
        });
    }
    if graph.start.len() + 1 != graph.nodes.max(1) {
        let what = "the start is no spanning tree: its edges against nodes less one";
        return Err(Error::Length {
            what,
            left: graph.start.len(),
            right: graph.nodes.saturating_sub(1),
        });
    }
    Ok(())
}

fn total(lengths: &[f64], tree: &[u32]) -> f64 {
    tree.iter().map(|&e| lengths[e as usize]).sum()
}

fn describe(graph: Candidates, tree: Vec<u32>) -> Trajectory {
    let branches = Rooted::new(graph.nodes, graph.edges, graph.scores, &tree).branches();
    let score = branches
        .iter()
        .take(MOST_BRANCHES)
        .map(|(weight, _)| weight * weight)
        .sum();
    let mut edges: Vec<i32> = tree.into_iter().map(|e| e as i32).collect();
    edges.sort_unstable();
    Trajectory {
        edges,
        score,
        branches: branches.into_iter().map(|(_, nodes)| nodes).collect(),
    }
}

fn path_of(result: &Trajectory) -> Vec<u32> {
    result
        .branches
        .first()
        .map_or(vec![], |path| path.iter().map(|&node| node as u32).collect())
}

/// One trajectory under way.
struct Walk<'a> {
    graph: Candidates<'a>,
    tree: Vec<u32>,
    best: Option<(f64, Vec<u32>)>,
    /// (added, cut), the latest last.
    tabu: VecDeque<(u32, u32)>,
    workers: Vec<Evaluator>,
    /// The heaviest path after each move of a round.
    paths: Vec<Vec<u32>>,
}

/// What a move would give.
#[derive(Clone, Copy)]
struct Outcome {
    score: f64,
    alike: bool,
    add: u32,
    cut: u32,
}

impl<'a> Walk<'a> {
    fn new(graph: Candidates<'a>, start: &[u32], earlier: &mut Earlier) -> Self {
        let begin = describe(graph, start.to_vec());
        let best = if earlier.alike(&path_of(&begin)) {
            None
        } else {
            Some((begin.score, start.to_vec()))
        };
        Self {
            graph,
            tree: start.to_vec(),
            best,
            tabu: VecDeque::new(),
            workers: Vec::new(),
            paths: Vec::new(),
        }
    }

    fn step(
        &mut self,
        search: &Search,
        sampler: &Sampler,
        random: &mut ChaCha8Rng,
        earlier: &mut Earlier,
        control: &Control,
    ) -> Result<()> {
        let Candidates {
            nodes,
            edges,
            lengths,
            scores,
            ..
        } = self.graph;
        let tree = Rooted::new(nodes, edges, scores, &self.tree);
        let moves = sampler.draw(&tree, total(lengths, &self.tree), search.neighbours, random);
        let outcomes = self.outcomes(&tree, &moves, earlier, control)?;
        let free = outcomes.iter().filter(|o| !self.is_tabu(o.add, o.cut));
        // The first of the best, and one like earlier results only if there is no other.
        let best = free.reduce(|a, b| match (a.alike, b.alike) {
            (true, false) => b,
            (false, true) => a,
            _ if b.score > a.score => b,
            _ => a,
        });
        let Some(&Outcome { score, alike, add, cut }) = best else {
            return Ok(());
        };
        if let Some(slot) = self.tree.iter_mut().find(|e| **e == cut) {
            *slot = add;
        }
        if !alike && self.best.as_ref().is_none_or(|best| score > best.0) {
            self.best = Some((score, self.tree.clone()));
            self.tabu.clear();
        }
        self.tabu.push_back((add, cut));
        if self.tabu.len() > search.tabu {
            self.tabu.pop_front();
        }
        Ok(())
    }

    /// Every move's score, in the order of the moves, whatever the number of threads.
    fn outcomes(
        &mut self,
        tree: &Rooted,
        moves: &[Move],
        earlier: &mut Earlier,
        control: &Control,
    ) -> Result<Vec<Outcome>> {
        let work = moves.len() * tree.node.len();
        let threads = if work < WORTH_THREADS {
            1
        } else {
            rayon::current_num_threads().max(1)
        };
        let share = moves.len().div_ceil(threads).max(1);
        self.workers
            .resize_with(threads.max(self.workers.len()), || Evaluator::new(tree));
        self.paths.resize(moves.len(), Vec::new());
        let wants_path = !earlier.is_empty();
        let evaluate = |((moves, worker), paths): ((&[Move], &mut Evaluator), &mut [Vec<u32>])| {
            worker.load(tree);
            let each = moves.iter().zip(paths).map(|(&step, path)| {
                control.check()?;
                Ok(worker.evaluate(tree, step, wants_path.then_some(path)))
            });
            each.collect::<Result<Vec<f64>>>()
        };
        let scores = if threads == 1 {
            let each = moves
                .chunks(share)
                .zip(&mut self.workers)
                .zip(self.paths.chunks_mut(share));
            each.map(evaluate).collect::<Result<Vec<_>>>()?
        } else {
            let each = moves
                .par_chunks(share)
                .zip(&mut self.workers)
                .zip(self.paths.par_chunks_mut(share));
            each.map(evaluate).collect::<Result<Vec<_>>>()?
        };
        let each = scores.into_iter().flatten().zip(moves).zip(&self.paths);
        Ok(each
            .map(|((score, step), path)| {
                let alike = wants_path && earlier.alike(path);
                Outcome {
                    score,
                    alike,
                    add: step.add,
                    cut: tree.edge[step.cut as usize],
                }
            })
            .collect())
    }

    /// Neither what was done, nor its reverse.
    fn is_tabu(&self, add: u32, cut: u32) -> bool {
        self.tabu.iter().any(|&past| past == (add, cut) || past == (cut, add))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEARCH: Search = Search {
        rounds: 20,
        neighbours: 5,
        tabu: 3,
        stretch: 1.5,
        trajectories: 2,
        similarity: 1.0,
        seed: 1,
    };

    #[test]
    fn a_star_becomes_a_path() {
        // A unit square and its middle: the start is a star, a path through all corners scores more.
        let edges = [[4, 0], [4, 1], [4, 2], [4, 3], [0, 1], [1, 2], [2, 3], [3, 0]];
        let (lengths, frozen) = ([0.7, 0.7, 0.7, 0.7, 1.0, 1.0, 1.0, 1.0], [false; 8]);
        let start = [0, 1, 2, 3];
        let graph = Candidates {
            nodes: 5,
            edges: &edges,
            lengths: &lengths,
            scores: &lengths,
            start: &start,
            frozen: &frozen,
        };
        let found = tabu_trees(graph, SEARCH, &Control::default()).unwrap();
        assert!((found[0].score - 3.7f64.powi(2)).abs() < 1e-12);
        assert_eq!(found[0].branches.len(), 1);
    }

    #[test]
    fn nothing_to_move_gives_the_start() {
        let frozen = [true];
        let graph = Candidates {
            nodes: 2,
            edges: &[[0, 1]],
            lengths: &[1.0],
            scores: &[2.0],
            start: &[0],
            frozen: &frozen,
        };
        let found = tabu_trees(graph, SEARCH, &Control::default()).unwrap();
        assert_eq!(
            found[0],
            Trajectory {
                edges: vec![0],
                score: 4.0,
                branches: vec![vec![0, 1]]
            }
        );
        let none = Candidates {
            nodes: 0,
            edges: &[],
            lengths: &[],
            scores: &[],
            start: &[],
            frozen: &[],
        };
        assert_eq!(
            tabu_trees(none, SEARCH, &Control::default()).unwrap()[0].branches,
            Vec::<Vec<i32>>::new()
        );
        assert!(tabu_trees(Candidates { start: &[], ..graph }, SEARCH, &Control::default()).is_err());
        assert!(tabu_trees(Candidates { start: &[1], ..graph }, SEARCH, &Control::default()).is_err());
    }
}
