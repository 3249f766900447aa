//! Routes over a sparse graph: a few paths that visit many nodes at little cost; a node may be left out for a penalty.
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

use super::order::Annealing;
use super::tour::{Links, Penalties, Tour};
use super::{check_edges, check_weights};
use crate::control::Control;
use crate::error::{Error, Result};

/// Steps of the search between two looks at the control.
const CHECK: usize = 4096;
/// Share of the steps in which, in every other search, ways without a link cost less than they are said to: at first as
/// little as a node that is left out, so that routes grow in many places and join.
const JOINED: f64 = 0.6;
/// Temperature with which the rest begins, over that of the start.
const AGAIN: f64 = 0.3;
/// Share of the steps that try to leave a node out.
const DROPS: f64 = 0.04;
/// Share of the others that look at a gap between routes in place of a link.
const GAPS: f64 = 0.03;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// How many nodes.
    pub nodes: usize,
    /// Links between them, of either direction; of repeated ones the first counts.
    pub edges: &'a [[i32; 2]],
    /// What each link costs.
    pub costs: &'a [f64],
    /// Routes at most.
    pub vehicles: usize,
    /// What a node that no route visits costs.
    pub drop: f64,
    /// What two nodes without a link cost where a route goes from one to the other.
    pub apart: f64,
}

/// Routes that were found.
#[derive(Clone, Debug, PartialEq)]
pub struct Routes {
    /// Links, gaps and left out nodes.
    pub cost: f64,
    /// Nodes along each route, the route with the lowest node first, from its lower end.
    pub routes: Vec<Vec<u32>>,
}

/// Routes of low cost, the best of each restart, best first, each found once.
///
/// Simulated annealing over one closed tour through the visited nodes and as many gaps as there may be routes: turning
/// a stretch, moving a stretch, exchanging, leaving out and taking in a node. `start` are routes to begin with; without
/// them every search begins with no node visited.
pub fn find_routes(task: Task, start: &[Vec<u32>], search: Annealing, control: &Control) -> Result<Vec<Routes>> {
    check(&task, start, &search)?;
    let links = Links::new(task.nodes, task.edges, task.costs);
    control.expect(search.restarts as u64);
    let mut found: Vec<Routes> = (0..search.restarts as u64)
        .into_par_iter()
        .map(|stream| {
            let mut random = ChaCha8Rng::seed_from_u64(search.seed);
            random.set_stream(stream);
            let found = anneal(&task, &links, start, &search, stream % 2 == 0, &mut random, control)?;
            control.step().map(|()| found)
        })
        .collect::<Result<_>>()?;
    found.sort_by(|a, b| a.cost.total_cmp(&b.cost).then_with(|| a.routes.cmp(&b.routes)));
    found.dedup();
    Ok(found)
}

fn anneal(
    task: &Task,
    links: &Links,
    start: &[Vec<u32>],
    search: &Annealing,
    gentle: bool,
    random: &mut ChaCha8Rng,
    control: &Control,
) -> Result<Routes> {
    let whole = Penalties {
        drop: task.drop,
        apart: task.apart,
    };
    let mut tour = Tour::new(links, task.vehicles, whole, start);
    let (mut best, mut lowest) = (tour.order().to_vec(), tour.cost());
    let mut cost = lowest;
    let mut temperature = search.hot;
    let low = if gentle { task.drop.min(task.apart) } else { task.apart };
    for step in 0..search.steps {
        if step % CHECK == 0 {
            control.check()?;
            let time = step as f64 / search.steps as f64;
            let (share, hot) = match time < JOINED {
                true => (time / JOINED, search.hot),
                false => ((time - JOINED) / (1.0 - JOINED), AGAIN * search.hot),
            };
            temperature = hot.max(search.cold) * (search.cold / hot.max(search.cold)).powf(share);
            let before = tour.penalties.apart;
            if time >= JOINED {
                tour.penalties.apart = task.apart;
                if before != task.apart {
                    tour.prune();
                }
            } else {
                tour.penalties.apart = low * (task.apart / low).powf(share);
            }
            if before != tour.penalties.apart {
                cost = tour.cost();
            }
        }
        // A change is made if it costs less than this.
        let most = -temperature * random.random::<f64>().max(1e-300).ln();
        let Some(change) = tried(&mut tour, task, links, most, random) else {
            continue;
        };
        cost += change;
        if cost < lowest - 1e-9 && tour.penalties.apart == task.apart {
            lowest = cost;
            best.clear();
            best.extend_from_slice(tour.order());
        }
    }
    let mut best = Tour::of(links, task.vehicles, whole, best);
    best.prune();
    Ok(Routes {
        cost: best.cost(),
        routes: best.routes(),
    })
}

/// Try one change; what it costs if it was made.
fn tried(tour: &mut Tour, task: &Task, links: &Links, most: f64, random: &mut ChaCha8Rng) -> Option<f64> {
    let a = random.random_range(0..task.nodes as u32);
    let chance: f64 = random.random();
    if chance < DROPS {
        return tour.leave_out(a, most);
    }
    let b = if random.random::<f64>() < GAPS {
        (task.nodes + random.random_range(0..task.vehicles)) as u32
    } else {
        let near = links.of(a);
        // Cheap links more often.
        near.get((random.random::<f64>().powi(2) * near.len() as f64) as usize)?
            .0
    };
    let ahead: bool = random.random();
    // At least one of both must be in the tour already.
    let (a, b) = if tour.has(a) { (a, b) } else { (b, a) };
    match (tour.has(a), tour.has(b)) {
        (false, _) => None,
        (true, false) if random.random::<f64>() < 0.5 => tour.take_in(a, b, ahead, most),
        (true, false) => tour.exchange(a, b, ahead, most),
        (true, true) if random.random::<f64>() < 0.5 => tour.turn(a, b, ahead, most),
        (true, true) => tour.shift(a, b, ahead, random.random_range(0..=3), random.random(), most),
    }
}

fn check(task: &Task, start: &[Vec<u32>], search: &Annealing) -> Result<()> {
    check_edges(task.nodes, task.edges)?;
    check_weights(task.edges, task.costs)?;
    if task.nodes == 0 {
        return Err(Error::Empty("there are no nodes to visit"));
    }
    let positive = [
        ("hot", search.hot),
        ("cold", search.cold),
        ("vehicles", task.vehicles as f64),
        ("drop", task.drop),
        ("apart", task.apart),
    ];
    if let Some((name, value)) = positive
        .into_iter()
        .find(|(_, value)| !(value.is_finite() && *value > 0.0))
    {
        return Err(Error::Parameter {
            name,
            rule: "positive and finite",
            value,
        });
    }
    let mut seen = vec![false; task.nodes];
    for (row, &node) in start.iter().flatten().enumerate() {
        match seen.get_mut(node as usize) {
            Some(seen) if !*seen => *seen = true,
            _ => {
                return Err(Error::Row {
                    what: "a route to begin with names a node twice, or one that does not exist",
                    row,
                });
            }
        }
    }
    if start.len() > task.vehicles {
        return Err(Error::Parameter {
            name: "routes to begin with",
            rule: "no more than vehicles",
            value: start.len() as f64,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEARCH: Annealing = Annealing {
        restarts: 4,
        steps: 60_000,
        hot: 150.0,
        cold: 0.5,
        seed: 3,
    };

    fn task<'a>(nodes: usize, edges: &'a [[i32; 2]], costs: &'a [f64], vehicles: usize) -> Task<'a> {
        Task {
            nodes,
            edges,
            costs,
            vehicles,
            drop: 200.0,
            apart: 10_000.0,
        }
    }

    /// The least cost over all orders of all subsets with all ways to set gaps: small graphs only.
    fn least(task: &Task) -> f64 {
        fn walk(task: &Task, last: Option<usize>, used: usize, routes: usize) -> f64 {
            let mut best = (task.nodes as u32 - (used as u32).count_ones()) as f64 * task.drop;
            for next in (0..task.nodes).filter(|next| used & (1 << next) == 0) {
                let after = |routes| walk(task, Some(next), used | (1 << next), routes);
                if let Some(last) = last {
                    best = best.min(link(task, last, next) + after(routes));
                }
                if routes < task.vehicles {
                    best = best.min(after(routes + 1));
                }
            }
            best
        }
        fn link(task: &Task, a: usize, b: usize) -> f64 {
            let pair = [a.min(b) as i32, a.max(b) as i32];
            task.edges
                .iter()
                .position(|&edge| edge == pair)
                .map_or(task.apart, |edge| task.costs[edge])
        }
        walk(task, None, 0, 0)
    }

    #[test]
    fn no_order_of_a_small_graph_is_better() {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        for vehicles in 1..=2 {
            for _ in 0..12 {
                let mut edges = Vec::new();
                for i in 0..6 {
                    edges.extend((i + 1..7).filter(|_| random.random::<f64>() < 0.5).map(|j| [i, j]));
                }
                let costs: Vec<f64> = edges.iter().map(|_| random.random_range(0.0..300.0)).collect();
                let task = task(7, &edges, &costs, vehicles);
                let found = find_routes(task, &[], SEARCH, &Control::default()).unwrap();
                assert!(
                    (found[0].cost - least(&task)).abs() < 1e-6,
                    "{found:?} {}",
                    least(&task)
                );
            }
        }
    }

    #[test]
    fn a_ring_is_cut_where_it_costs_most() {
        let edges: Vec<[i32; 2]> = (0..40).map(|i| [i, (i + 1) % 40]).collect();
        let costs: Vec<f64> = (0..40).map(|i| if i == 12 { 90.0 } else { 10.0 }).collect();
        let found = find_routes(task(40, &edges, &costs, 1), &[], SEARCH, &Control::default()).unwrap();
        assert!((found[0].cost - 390.0).abs() < 1e-9);
        assert_eq!(found[0].routes.len(), 1);
        let ends = (found[0].routes[0][0], found[0].routes[0][39]);
        assert_eq!(ends, (12, 13));
    }

    #[test]
    fn it_begins_with_the_routes_it_is_given() {
        let edges: Vec<[i32; 2]> = (0..9).map(|i| [i, i + 1]).collect();
        let start = vec![(0..10).collect::<Vec<u32>>()];
        let idle = Annealing { steps: 0, ..SEARCH };
        let found = find_routes(task(10, &edges, &[5.0; 9], 3), &start, idle, &Control::default()).unwrap();
        assert_eq!(found[0].routes, start);
        assert!((found[0].cost - 45.0).abs() < 1e-9);
    }

    #[test]
    fn bad_input_and_cancelling() {
        let (control, edges) = (Control::default(), [[0, 1]]);
        let run = |task, start: &[Vec<u32>]| find_routes(task, start, SEARCH, &control);
        assert!(run(task(0, &[], &[], 1), &[]).is_err());
        assert!(run(task(2, &edges, &[1.0], 0), &[]).is_err());
        assert!(run(task(2, &edges, &[f64::NAN], 1), &[]).is_err());
        assert!(run(task(2, &edges, &[1.0], 1), &[vec![0, 0]]).is_err());
        assert!(run(task(2, &edges, &[1.0], 1), &[vec![2]]).is_err());
        assert!(run(task(2, &edges, &[1.0], 1), &[vec![0], vec![1]]).is_err());
        control.cancel();
        assert_eq!(
            find_routes(task(2, &edges, &[1.0], 1), &[], SEARCH, &control),
            Err(Error::Cancelled)
        );
    }
}
