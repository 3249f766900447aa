//! Spanning trees of neighbourhoods: edges worth having besides those of the whole's.
use rayon::prelude::*;

use super::spanning::Sets;
use super::{Adjacency, Cells, check_edges, check_points, check_weights};
use crate::control::Control;
use crate::error::{Error, Result};

const CHUNK: usize = 32;
const ABSENT: u32 = u32::MAX;

/// Edges of the minimum spanning forest of any ball: for every point, of the edges with both ends at most `radius`
/// from it. Ascending indices; of equal weights the lower index goes first.
pub fn local_spanning_edges(
    points: &[[f64; 3]],
    edges: &[[i32; 2]],
    weights: &[f64],
    radius: f64,
    control: &Control,
) -> Result<Vec<i32>> {
    check_points(points)?;
    check_edges(points.len(), edges)?;
    check_weights(edges, weights)?;
    if !(radius.is_finite() && radius > 0.0) {
        return Err(Error::Parameter {
            name: "radius",
            rule: "positive and finite",
            value: radius,
        });
    }
    let balls = Balls::new(points, edges, weights, radius);
    control.expect(points.len().div_ceil(CHUNK) as u64);
    let taken: Vec<Vec<u32>> = points
        .par_chunks(CHUNK)
        .enumerate()
        .map_init(
            || Ball::new(points.len()),
            |ball, (chunk, those)| {
                let mut taken = Vec::new();
                for centre in chunk * CHUNK..chunk * CHUNK + those.len() {
                    control.check()?;
                    balls.span(centre, ball, &mut taken);
                }
                taken.sort_unstable();
                taken.dedup();
                control.step()?;
                Ok(taken)
            },
        )
        .collect::<Result<_>>()?;
    let mut used = vec![false; edges.len()];
    taken
        .iter()
        .flatten()
        .for_each(|&rank| used[balls.by_rank[rank as usize] as usize] = true);
    Ok((0..edges.len() as i32).filter(|&e| used[e as usize]).collect())
}

struct Balls<'a> {
    points: &'a [[f64; 3]],
    edges: &'a [[i32; 2]],
    radius: f64,
    cells: Cells,
    around: Vec<[(u32, u32); 9]>,
    links: Adjacency,
    /// Edges from the lightest, and the place of each among them.
    by_rank: Vec<u32>,
    rank: Vec<u32>,
}

/// One worker's room.
struct Ball {
    /// Each point's place in the ball.
    place: Vec<u32>,
    members: Vec<u32>,
    ranks: Vec<u32>,
    sets: Sets,
}

impl Ball {
    fn new(points: usize) -> Self {
        Self {
            place: vec![ABSENT; points],
            members: Vec::new(),
            ranks: Vec::new(),
            sets: Sets::new(0),
        }
    }
}

impl<'a> Balls<'a> {
    fn new(points: &'a [[f64; 3]], edges: &'a [[i32; 2]], weights: &[f64], radius: f64) -> Self {
        let cells = Cells::new(points, radius);
        let mut by_rank: Vec<u32> = (0..edges.len() as u32).collect();
        by_rank.par_sort_unstable_by(|&a, &b| {
            let (left, right) = (weights[a as usize] + 0.0, weights[b as usize] + 0.0);
            left.total_cmp(&right).then(a.cmp(&b))
        });
        let mut rank = vec![0; edges.len()];
        by_rank.iter().zip(0..).for_each(|(&e, place)| rank[e as usize] = place);
        let around = cells.surroundings();
        let links = Adjacency::new(points.len(), edges, 0..edges.len());
        Self {
            points,
            edges,
            radius,
            cells,
            around,
            links,
            by_rank,
            rank,
        }
    }

    fn span(&self, centre: usize, ball: &mut Ball, taken: &mut Vec<u32>) {
        self.gather(centre, ball);
        ball.ranks.clear();
        for &member in &ball.members {
            let links = self.links.of(member as usize).iter();
            let inside = links.filter(|&&(other, _)| other > member && ball.place[other as usize] != ABSENT);
            ball.ranks.extend(inside.map(|&(_, e)| self.rank[e as usize]));
        }
        ball.ranks.sort_unstable();
        ball.sets.reset(ball.members.len());
        let mut open = ball.members.len().saturating_sub(1);
        for &rank in &ball.ranks {
            if open == 0 {
                break;
            }
            let [a, b] = self.edges[self.by_rank[rank as usize] as usize].map(|end| ball.place[end as usize]);
            if ball.sets.join(a, b) {
                taken.push(rank);
                open -= 1;
            }
        }
        ball.members
            .iter()
            .for_each(|&member| ball.place[member as usize] = ABSENT);
    }

    /// The points at most a radius from this one.
    fn gather(&self, centre: usize, ball: &mut Ball) {
        ball.members.clear();
        let at = self.points[centre];
        for &(first, last) in &self.around[self.cells.cell_of(centre)] {
            let places = self.cells.starts[first as usize] as usize..self.cells.starts[last as usize] as usize;
            for &i in &self.cells.order[places] {
                let other = self.points[i as usize];
                let d2 = (0..3).map(|a| (other[a] - at[a]).powi(2)).sum::<f64>();
                if d2 <= self.radius * self.radius {
                    ball.place[i as usize] = ball.members.len() as u32;
                    ball.members.push(i);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_edge_serves_where_its_detour_leaves_the_ball() {
        let points = [[0.0; 3], [2.0, 0.0, 0.0], [1.0, 5.0, 0.0]];
        let edges = [[0, 1], [1, 2], [0, 2]];
        let weights = [3.0, 1.0, 1.0];
        let control = Control::default();
        assert_eq!(
            local_spanning_edges(&points, &edges, &weights, 3.0, &control),
            Ok(vec![0])
        );
        assert_eq!(
            local_spanning_edges(&points, &edges, &weights, 9.0, &control),
            Ok(vec![1, 2])
        );
        assert_eq!(local_spanning_edges(&[], &[], &[], 9.0, &control), Ok(vec![]));
    }
}
