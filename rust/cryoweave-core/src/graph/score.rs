//! How good a tree is after one move, in two sweeps through memory and without building it.
//!
//! The tree is taken apart into its heaviest path, then the heaviest branch that hangs on what has been taken, and so
//! on; its score is the sum of the squares of their weights, so that one long path counts for more than many short.
//! Rooted at an end of the heaviest path, the branches are exactly those of the rule "at each node the heaviest child
//! goes on, all others begin a branch". The sweep uses the root that the tree had before the move; where the heaviest
//! path does not end there any more, the places between its apex and the root are turned round afterwards.
use super::tree::{Move, NONE, Rooted};

/// Branches beyond this many do not count.
pub(super) const MOST_BRANCHES: usize = 100;

/// One worker's room, and the tree before any move.
pub(super) struct Evaluator {
    parent: Vec<u32>,
    weight: Vec<f64>,
    /// By place: weight of the heaviest way down, its first child, and the way down from the parent's view.
    depth: Vec<f64>,
    heir: Vec<u32>,
    down: Vec<f64>,
    lengths: Vec<f64>,
    /// (place, parent, weight) as they were, from the inner end of the new edge up to the cut.
    turned: Vec<(u32, u32, f64)>,
    rising: Vec<u32>,
    diameter: Diameter,
}

/// The heaviest path: its topmost place and the two children through which it goes down.
#[derive(Clone, Copy)]
struct Diameter {
    weight: f64,
    apex: u32,
    arms: [u32; 2],
}

impl Evaluator {
    pub(super) fn new(tree: &Rooted) -> Self {
        let n = tree.node.len();
        Self {
            parent: tree.parent.clone(),
            weight: tree.weight.clone(),
            depth: vec![0.0; n],
            heir: vec![NONE; n],
            down: vec![0.0; n],
            lengths: Vec::with_capacity(n + 1),
            turned: Vec::new(),
            rising: Vec::new(),
            diameter: Diameter {
                weight: -1.0,
                apex: 0,
                arms: [NONE; 2],
            },
        }
    }

    /// Take another tree of as many nodes.
    pub(super) fn load(&mut self, tree: &Rooted) {
        self.parent.copy_from_slice(&tree.parent);
        self.weight.copy_from_slice(&tree.weight);
    }

    /// The score of the tree after a move, and the nodes of its heaviest path if asked for.
    pub(super) fn evaluate(&mut self, tree: &Rooted, step: Move, path: Option<&mut Vec<u32>>) -> f64 {
        self.turn(step);
        self.sweep(step.cut as usize, (step.cut + tree.size[step.cut as usize]) as usize);
        if let Some(path) = path {
            self.read_path(tree, path);
        }
        self.lengths.clear();
        self.lengths.push(self.diameter.weight);
        self.reroot();
        self.collect();
        for &(place, parent, weight) in &self.turned {
            self.parent[place as usize] = parent;
            self.weight[place as usize] = weight;
        }
        sum_of_squares(&mut self.lengths)
    }

    /// Hang the part below the cut onto the outer end of the new edge, by its inner end.
    fn turn(&mut self, step: Move) {
        self.turned.clear();
        let (mut place, mut above, mut weight) = (step.inner, step.outer, step.weight);
        loop {
            let i = place as usize;
            self.turned.push((place, self.parent[i], self.weight[i]));
            let (old_parent, old_weight) = (self.parent[i], self.weight[i]);
            (self.parent[i], self.weight[i]) = (above, weight);
            if place == step.cut {
                return;
            }
            (above, weight, place) = (place, old_weight, old_parent);
        }
    }

    /// Every place after all those below it: first the moved part (its turned places last), then the rest.
    fn sweep(&mut self, cut: usize, end: usize) {
        self.depth.fill(0.0);
        self.heir.fill(NONE);
        self.diameter = Diameter {
            weight: -1.0,
            apex: 0,
            arms: [NONE; 2],
        };
        let mut high = end;
        for turn in 0..self.turned.len() {
            let place = self.turned[turn].0 as usize;
            (place + 1..high).rev().for_each(|i| self.settle(i));
            high = place;
        }
        for turn in (0..self.turned.len()).rev() {
            self.settle(self.turned[turn].0 as usize);
        }
        (end..self.parent.len()).rev().for_each(|i| self.settle(i));
        (1..cut).rev().for_each(|i| self.settle(i));
    }

    /// Tell a place's parent of the way down through it.
    #[inline(always)]
    fn settle(&mut self, i: usize) {
        let down = self.weight[i] + self.depth[i];
        self.down[i] = down;
        let parent = self.parent[i] as usize;
        let deepest = self.depth[parent];
        if down + deepest > self.diameter.weight {
            let arms = [i as u32, self.heir[parent]];
            self.diameter = Diameter {
                weight: down + deepest,
                apex: parent as u32,
                arms,
            };
        }
        if down > deepest || self.heir[parent] == NONE {
            self.depth[parent] = down;
            self.heir[parent] = i as u32;
        }
    }

    /// Nodes of the heaviest path, from its lower end.
    fn read_path(&self, tree: &Rooted, path: &mut Vec<u32>) {
        path.clear();
        let follow = |mut at: u32, path: &mut Vec<u32>| {
            while at != NONE {
                path.push(tree.node[at as usize]);
                at = self.heir[at as usize];
            }
        };
        follow(self.diameter.arms[0], path);
        path.reverse();
        path.push(tree.node[self.diameter.apex as usize]);
        follow(self.diameter.arms[1], path);
        if path.first() > path.last() {
            path.reverse();
        }
    }

    /// Turn round the places from the root to the apex: seen from the heaviest path, what was up is a branch.
    fn reroot(&mut self) {
        let apex = self.diameter.apex;
        // The arm that is not the heir would count as a branch of its own.
        for arm in self.diameter.arms.into_iter().filter(|&arm| arm != NONE) {
            self.down[arm as usize] = 0.0;
        }
        if apex == 0 {
            return;
        }
        self.find_other_heirs();
        let mut up = None;
        for step in (1..self.rising.len()).rev() {
            let at = self.rising[step] as usize;
            let best = self.depth[at].max(0.0);
            let longest = match up {
                Some(up) if up > best || self.heir[at] == NONE => {
                    self.heir[at] = NONE;
                    up
                }
                Some(up) => {
                    self.lengths.push(up);
                    best
                }
                None => best,
            };
            up = Some(longest + self.weight[self.rising[step - 1] as usize]);
        }
        self.lengths.extend(up);
    }

    /// From the apex to the root; and for those above the apex, the heaviest child other than the one that leads to it.
    fn find_other_heirs(&mut self) {
        self.rising.clear();
        let mut at = self.diameter.apex;
        while at != 0 {
            self.rising.push(at);
            self.down[at as usize] = -2.0;
            at = self.parent[at as usize];
            (self.depth[at as usize], self.heir[at as usize]) = (-1.0, NONE);
        }
        self.rising.push(0);
        // Everywhere else a parent's depth is at least its children's way down, so only those places are changed.
        for i in 1..self.parent.len() {
            let parent = self.parent[i] as usize;
            if self.down[i] > self.depth[parent] {
                self.depth[parent] = self.down[i];
                self.heir[parent] = i as u32;
            }
        }
        for &place in &self.rising {
            self.down[place as usize] = 0.0;
        }
    }

    /// The weight of every branch; those counted already have a way down of zero.
    fn collect(&mut self) {
        for (i, (&parent, &down)) in self.parent.iter().zip(&self.down).enumerate().skip(1) {
            if self.heir[parent as usize] != i as u32 {
                self.lengths.push(down);
            }
        }
    }
}

fn sum_of_squares(lengths: &mut Vec<f64>) -> f64 {
    if lengths.len() > MOST_BRANCHES {
        lengths.select_nth_unstable_by(MOST_BRANCHES - 1, |a, b| b.total_cmp(a));
        lengths.truncate(MOST_BRANCHES);
    }
    lengths.iter().map(|length| length * length).sum()
}
