//! The best candidates of groups that hang together: exactly where they are few, else by annealing.
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

use super::problem::Problem;
use crate::control::Control;
use crate::error::Result;

/// Combinations up to which all are looked at.
const EXACT: f64 = 1e5;
const SWEEPS: usize = 300;
/// Energy that is given away easily at the start of the annealing, and at its end.
const HOT: f64 = 5.0;
const COLD: f64 = 0.05;

/// One candidate for each group.
pub(super) fn solve(problem: &Problem, seed: u64, control: &Control) -> Result<Vec<usize>> {
    let mut chosen: Vec<usize> = problem
        .groups
        .iter()
        .map(|group| cheapest(&group.alive, |c| group.costs[c]))
        .collect();
    let clusters = clusters(problem);
    let solved: Vec<Vec<usize>> = clusters
        .par_iter()
        .map(|members| {
            let combinations: f64 = members.iter().map(|&m| problem.groups[m].alive.len() as f64).product();
            if combinations <= EXACT {
                exact(problem, members, &chosen, control)
            } else {
                annealed(problem, members, &chosen, seed, control)
            }
        })
        .collect::<Result<_>>()?;
    for (members, found) in clusters.iter().zip(solved) {
        for (&member, candidate) in members.iter().zip(found) {
            chosen[member] = candidate;
        }
    }
    Ok(chosen)
}

fn cheapest(among: &[usize], cost: impl Fn(usize) -> f64) -> usize {
    among
        .iter()
        .copied()
        .min_by(|&a, &b| cost(a).total_cmp(&cost(b)))
        .unwrap_or(0)
}

/// Groups with a choice that are joined by overlaps, most entangled first within each cluster.
fn clusters(problem: &Problem) -> Vec<Vec<usize>> {
    let open = |group: usize| problem.groups[group].alive.len() > 1;
    let mut seen = vec![false; problem.groups.len()];
    let mut clusters = Vec::new();
    for start in 0..problem.groups.len() {
        if seen[start] || !open(start) {
            continue;
        }
        seen[start] = true;
        let (mut members, mut next) = (vec![start], 0);
        while let Some(&group) = members.get(next) {
            next += 1;
            for beside in &problem.groups[group].beside {
                if open(beside.group) && !std::mem::replace(&mut seen[beside.group], true) {
                    members.push(beside.group);
                }
            }
        }
        clusters.push(members);
    }
    clusters
}

/// What a candidate costs beside those chosen for the other groups.
fn cost_among(problem: &Problem, group: usize, candidate: usize, chosen: &[usize]) -> f64 {
    let own = &problem.groups[group];
    let beside = own
        .beside
        .iter()
        .map(|beside| beside.at(candidate, chosen[beside.group]));
    own.costs[candidate] + beside.sum::<f64>()
}

/// Depth first, leaving a branch when even the cheapest rest is no better than the best so far.
fn exact(problem: &Problem, members: &[usize], chosen: &[usize], control: &Control) -> Result<Vec<usize>> {
    let least = |&member: &usize| {
        let group = &problem.groups[member];
        group
            .alive
            .iter()
            .map(|&c| group.costs[c])
            .fold(f64::INFINITY, f64::min)
    };
    let mut rest = vec![0.0; members.len() + 1];
    for (k, member) in members.iter().enumerate().rev() {
        rest[k] = rest[k + 1] + least(member);
    }
    let mut place = vec![usize::MAX; problem.groups.len()];
    for (k, &member) in members.iter().enumerate() {
        place[member] = k;
    }
    let mut search = Exact {
        problem,
        members,
        rest,
        place,
        trial: chosen.to_vec(),
        best: (f64::INFINITY, members.iter().map(|&member| chosen[member]).collect()),
    };
    search.deepen(0, 0.0, control)?;
    Ok(search.best.1)
}

struct Exact<'a> {
    problem: &'a Problem,
    members: &'a [usize],
    /// Least that the members from here on cost by themselves.
    rest: Vec<f64>,
    /// Place of each group among the members.
    place: Vec<usize>,
    trial: Vec<usize>,
    best: (f64, Vec<usize>),
}

impl Exact<'_> {
    fn deepen(&mut self, depth: usize, so_far: f64, control: &Control) -> Result<()> {
        control.check()?;
        if depth == self.members.len() {
            self.best = (so_far, self.members.iter().map(|&member| self.trial[member]).collect());
            return Ok(());
        }
        let group = &self.problem.groups[self.members[depth]];
        for &candidate in &group.alive {
            // Groups outside of the cluster have no choice left: they count from the start.
            let decided = group.beside.iter().filter(|beside| {
                let place = self.place[beside.group];
                place == usize::MAX || place < depth
            });
            let beside: f64 = decided
                .map(|beside| beside.at(candidate, self.trial[beside.group]))
                .sum();
            let cost = so_far + group.costs[candidate] + beside;
            if cost + self.rest[depth + 1] < self.best.0 {
                self.trial[self.members[depth]] = candidate;
                self.deepen(depth + 1, cost, control)?;
            }
        }
        Ok(())
    }
}

/// Metropolis steps from hot to cold, then downhill until nothing improves.
fn annealed(
    problem: &Problem,
    members: &[usize],
    chosen: &[usize],
    seed: u64,
    control: &Control,
) -> Result<Vec<usize>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(members[0] as u64);
    let mut trial = chosen.to_vec();
    for sweep in 0..SWEEPS {
        control.check()?;
        let heat = HOT * (COLD / HOT).powf(sweep as f64 / (SWEEPS - 1) as f64);
        for &member in members {
            let alive = &problem.groups[member].alive;
            let candidate = alive[random.random_range(0..alive.len())];
            let gain =
                cost_among(problem, member, trial[member], &trial) - cost_among(problem, member, candidate, &trial);
            if gain >= 0.0 || random.random::<f64>() < (gain / heat).exp() {
                trial[member] = candidate;
            }
        }
    }
    loop {
        control.check()?;
        let mut moved = false;
        for &member in members {
            let best = cheapest(&problem.groups[member].alive, |c| {
                cost_among(problem, member, c, &trial)
            });
            let now = cost_among(problem, member, trial[member], &trial);
            if cost_among(problem, member, best, &trial) < now - 1e-9 {
                (trial[member], moved) = (best, true);
            }
        }
        if !moved {
            break;
        }
    }
    Ok(members.iter().map(|&member| trial[member]).collect())
}
