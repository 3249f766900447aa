//! One chain through path segments: which to take, in which order and direction.
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result, same_length};

/// Steps of the search between two looks at the control.
const CHECK: usize = 1024;

/// How to search.
#[derive(Clone, Copy, Debug)]
pub struct Annealing {
    /// Searches, each from its own random order.
    pub restarts: usize,
    /// Steps of each.
    pub steps: usize,
    /// Temperature at the start, in units of cost.
    pub hot: f64,
    /// Temperature at the end.
    pub cold: f64,
    /// Of the random numbers.
    pub seed: u64,
}

/// A chain through segments.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Joins between neighbours and penalties of what is left out.
    pub cost: f64,
    /// The ends at which the chain enters its segments: segment `s` forward is `2 s`, backward `2 s + 1`.
    pub entries: Vec<u32>,
}

/// Orders of low cost, best first, each found once (an order and its reverse are one).
///
/// Segment `s` has the ends `2 s` and `2 s + 1`; `join` is the symmetric cost of going from one end to another, row by
/// row, `skip` the cost of leaving a segment out. Simulated annealing; every restart gives one order.
pub fn order_segments(join: &[f64], skip: &[f64], search: Annealing, control: &Control) -> Result<Vec<Order>> {
    let costs = Costs { join, skip };
    check(&costs, &search)?;
    control.expect(search.restarts as u64);
    let mut found: Vec<Order> = (0..search.restarts as u64)
        .into_par_iter()
        .map(|stream| {
            let mut random = ChaCha8Rng::seed_from_u64(search.seed);
            random.set_stream(stream);
            let order = anneal(&costs, &search, &mut random, control)?;
            control.step().map(|()| order)
        })
        .collect::<Result<_>>()?;
    found.sort_by(|a, b| a.cost.total_cmp(&b.cost).then_with(|| a.entries.cmp(&b.entries)));
    found.dedup_by(|a, b| a.entries == b.entries);
    Ok(found)
}

struct Costs<'a> {
    join: &'a [f64],
    skip: &'a [f64],
}

impl Costs<'_> {
    fn between(&self, entry: u32, next: u32) -> f64 {
        self.join[(entry ^ 1) as usize * 2 * self.skip.len() + next as usize]
    }

    fn of(&self, chain: &Chain) -> f64 {
        let joins: f64 = chain.taken.windows(2).map(|pair| self.between(pair[0], pair[1])).sum();
        joins + chain.left.iter().map(|&s| self.skip[s as usize]).sum::<f64>()
    }
}

fn check(costs: &Costs, search: &Annealing) -> Result<()> {
    let ends = 2 * costs.skip.len();
    let what = "joins are not as many as the squared number of segments' ends";
    same_length(what, costs.join.len(), ends * ends)?;
    if costs.skip.is_empty() {
        return Err(Error::Empty("there are no segments to order"));
    }
    if let Some(row) = costs.join.iter().chain(costs.skip).position(|cost| !cost.is_finite()) {
        return Err(Error::Row {
            what: "a cost is not finite",
            row,
        });
    }
    let temperature = |name, value: f64| match value.is_finite() && value > 0.0 {
        true => Ok(()),
        false => Err(Error::Parameter {
            name,
            rule: "positive",
            value,
        }),
    };
    temperature("hot", search.hot)?;
    temperature("cold", search.cold)
}

/// Entries of the segments in the chain's order, and the segments that are not in it.
#[derive(Clone)]
struct Chain {
    taken: Vec<u32>,
    left: Vec<u32>,
}

fn anneal(costs: &Costs, search: &Annealing, random: &mut ChaCha8Rng, control: &Control) -> Result<Order> {
    let mut now = shuffled(costs.skip.len() as u32, random);
    let mut cost = costs.of(&now);
    let (mut best, mut lowest) = (now.clone(), cost);
    let mut trial = now.clone();
    let cooling = (search.cold / search.hot).powf(1.0 / search.steps.max(1) as f64);
    let mut temperature = search.hot;
    for step in 0..search.steps {
        if step % CHECK == 0 {
            control.check()?;
        }
        trial.taken.clone_from(&now.taken);
        trial.left.clone_from(&now.left);
        change(&mut trial, random);
        let changed = costs.of(&trial);
        if changed < cost || random.random::<f64>() < ((cost - changed) / temperature).exp() {
            std::mem::swap(&mut now, &mut trial);
            cost = changed;
        }
        if cost < lowest {
            lowest = cost;
            best.taken.clone_from(&now.taken);
        }
        temperature *= cooling;
    }
    Ok(Order {
        cost: lowest,
        entries: canonical(best.taken),
    })
}

fn shuffled(segments: u32, random: &mut ChaCha8Rng) -> Chain {
    let mut taken: Vec<u32> = (0..segments).map(|s| 2 * s + random.random_range(0..2)).collect();
    for i in (1..taken.len()).rev() {
        taken.swap(i, random.random_range(0..=i));
    }
    Chain {
        taken,
        left: Vec::new(),
    }
}

/// Turn a stretch, move a stretch, leave a segment out or take one in.
fn change(chain: &mut Chain, random: &mut ChaCha8Rng) {
    let length = chain.taken.len();
    let choice: f64 = random.random();
    if choice < 0.75 && length > 1 {
        let (i, j) = (random.random_range(0..length), random.random_range(0..length));
        let (first, last) = (i.min(j), i.max(j));
        if choice < 0.35 {
            turn(&mut chain.taken[first..=last]);
        } else {
            relocate(&mut chain.taken, first, last, random);
        }
    } else if choice < 0.88 && length > 1 {
        chain.left.push(chain.taken.remove(random.random_range(0..length)) / 2);
    } else if !chain.left.is_empty() {
        let segment = chain.left.swap_remove(random.random_range(0..chain.left.len()));
        let entry = 2 * segment + random.random_range(0..2);
        chain.taken.insert(random.random_range(0..=length), entry);
    }
}

fn turn(stretch: &mut [u32]) {
    stretch.reverse();
    stretch.iter_mut().for_each(|entry| *entry ^= 1);
}

fn relocate(taken: &mut Vec<u32>, first: usize, last: usize, random: &mut ChaCha8Rng) {
    let mut block: Vec<u32> = taken.drain(first..=last).collect();
    if random.random() {
        turn(&mut block);
    }
    let at = random.random_range(0..=taken.len());
    taken.splice(at..at, block);
}

/// Of a chain and its reverse, the one that comes first.
fn canonical(taken: Vec<u32>) -> Vec<u32> {
    let mut turned = taken.clone();
    turn(&mut turned);
    taken.min(turned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEARCH: Annealing = Annealing {
        restarts: 4,
        steps: 4000,
        hot: 5.0,
        cold: 0.05,
        seed: 1,
    };

    /// Segments along a line, unit gaps: the join costs the distance of the ends.
    fn line(places: &[(f64, f64)]) -> Vec<f64> {
        let ends: Vec<f64> = places.iter().flat_map(|&(a, b)| [a, b]).collect();
        ends.iter()
            .flat_map(|a| ends.iter().map(move |b| (a - b).abs()))
            .collect()
    }

    #[test]
    fn segments_on_a_line_are_ordered_along_it() {
        let join = line(&[(10.0, 14.0), (9.0, 5.0), (0.0, 4.0)]);
        let found = order_segments(&join, &[50.0; 3], SEARCH, &Control::default()).unwrap();
        assert_eq!(found[0].entries, vec![1, 2, 5]);
        assert!((found[0].cost - 2.0).abs() < 1e-9);
    }

    #[test]
    fn what_costs_less_to_leave_out_is_left_out() {
        let join = line(&[(0.0, 4.0), (100.0, 101.0), (5.0, 9.0)]);
        let found = order_segments(&join, &[50.0, 3.0, 50.0], SEARCH, &Control::default()).unwrap();
        assert_eq!(found[0].entries, vec![0, 4]);
        assert!((found[0].cost - 4.0).abs() < 1e-9);
    }

    #[test]
    fn a_cancelled_search_stops() {
        let control = Control::default();
        control.cancel();
        assert_eq!(
            order_segments(&[0.0; 4], &[1.0], SEARCH, &control),
            Err(Error::Cancelled)
        );
    }
}
