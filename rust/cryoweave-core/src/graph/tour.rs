//! One closed tour through visited nodes and gaps, and the changes that a search makes to it.
//!
//! A tour of the elements `0..nodes` (nodes, some of which may be left out) and `nodes..nodes + gaps` (gaps, always
//! there). Going to or from a gap is free; the stretches between gaps are the routes.

const OUT: u32 = u32::MAX;

/// What it costs to go from one node to another.
pub(super) struct Links {
    nodes: usize,
    starts: Vec<u32>,
    /// (other node, cost), the cheapest first.
    links: Vec<(u32, f64)>,
}

impl Links {
    /// Of checked edges; of repeated ones the first counts.
    pub(super) fn new(nodes: usize, edges: &[[i32; 2]], costs: &[f64]) -> Self {
        let mut around: Vec<Vec<(u32, f64)>> = vec![Vec::new(); nodes];
        for (&[a, b], &cost) in edges.iter().zip(costs) {
            for (from, to) in [(a, b), (b, a)] {
                let known = &mut around[from as usize];
                if known.iter().all(|&(other, _)| other != to as u32) {
                    known.push((to as u32, cost));
                }
            }
        }
        let (mut starts, mut links) = (vec![0], Vec::new());
        for mut near in around {
            near.sort_by(|x, y| x.1.total_cmp(&y.1).then(x.0.cmp(&y.0)));
            links.extend(near);
            starts.push(links.len() as u32);
        }
        Self { nodes, starts, links }
    }

    /// A node's links, the cheapest first.
    pub(super) fn of(&self, node: u32) -> &[(u32, f64)] {
        let node = node as usize;
        &self.links[self.starts[node] as usize..self.starts[node + 1] as usize]
    }

    /// Nothing to or from a gap; none where two nodes have no link.
    #[inline]
    fn cost(&self, a: u32, b: u32) -> Option<f64> {
        if a as usize >= self.nodes || b as usize >= self.nodes {
            return Some(0.0);
        }
        self.of(a).iter().find(|&&(other, _)| other == b).map(|&(_, cost)| cost)
    }
}

/// What is not on a route, and what has no link.
#[derive(Clone, Copy)]
pub(super) struct Penalties {
    /// For a node that is left out.
    pub(super) drop: f64,
    /// For going between two nodes without a link.
    pub(super) apart: f64,
}

/// A tour that can be changed; every change is made only if it costs less than `most`, and its cost given back.
pub(super) struct Tour<'a> {
    links: &'a Links,
    pub(super) penalties: Penalties,
    order: Vec<u32>,
    place: Vec<u32>,
}

impl<'a> Tour<'a> {
    /// These routes, and gaps for all others.
    pub(super) fn new(links: &'a Links, gaps: usize, penalties: Penalties, routes: &[Vec<u32>]) -> Self {
        let mut order = Vec::new();
        for gap in 0..gaps {
            order.push((links.nodes + gap) as u32);
            order.extend(routes.get(gap).into_iter().flatten());
        }
        Self::of(links, gaps, penalties, order)
    }

    /// A tour in this order.
    pub(super) fn of(links: &'a Links, gaps: usize, penalties: Penalties, order: Vec<u32>) -> Self {
        let mut place = vec![OUT; links.nodes + gaps];
        for (at, &element) in (0..).zip(&order) {
            place[element as usize] = at;
        }
        Self {
            links,
            penalties,
            order,
            place,
        }
    }

    pub(super) fn order(&self) -> &[u32] {
        &self.order
    }

    pub(super) fn has(&self, element: u32) -> bool {
        self.place[element as usize] != OUT
    }

    /// Links, gaps and left out nodes, added up anew.
    pub(super) fn cost(&self) -> f64 {
        let m = self.order.len();
        let joins: f64 = (0..m).map(|i| self.join(self.order[i], self.order[(i + 1) % m])).sum();
        joins + self.penalties.drop * (self.place.len() - m) as f64
    }

    /// The stretches between gaps, each from its lower end, sorted.
    pub(super) fn routes(&self) -> Vec<Vec<u32>> {
        let is_gap = |element: &u32| *element as usize >= self.links.nodes;
        let first = self.order.iter().position(is_gap).unwrap_or(0);
        let turned: Vec<u32> = self.order[first..]
            .iter()
            .chain(&self.order[..first])
            .copied()
            .collect();
        let mut routes: Vec<Vec<u32>> = turned
            .split(is_gap)
            .filter(|r| !r.is_empty())
            .map(<[u32]>::to_vec)
            .collect();
        for route in &mut routes {
            if route.first() > route.last() {
                route.reverse();
            }
        }
        routes.sort();
        routes
    }

    /// Leave out whole stretches without a break where that costs less than going on to them.
    ///
    /// As many as there are gaps begin a route of their own, those that are worth most.
    pub(super) fn prune(&mut self) {
        let gaps = self.place.len() - self.links.nodes;
        let mut pieces: Vec<Vec<u32>> = Vec::new();
        for route in self.routes() {
            let broken = |pair: &[u32]| self.links.cost(pair[0], pair[1]).is_none();
            let mut piece = vec![route[0]];
            for pair in route.windows(2) {
                if broken(pair) {
                    pieces.push(std::mem::take(&mut piece));
                }
                piece.push(pair[1]);
            }
            pieces.push(piece);
        }
        let gain = |piece: &Vec<u32>| {
            let joins: f64 = piece.windows(2).map(|pair| self.join(pair[0], pair[1])).sum();
            self.penalties.drop * piece.len() as f64 - joins
        };
        let mut ranked: Vec<(f64, Vec<u32>)> = pieces.into_iter().map(|piece| (gain(&piece), piece)).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let mut order = Vec::with_capacity(self.order.len());
        for (rank, (gain, piece)) in ranked.into_iter().enumerate() {
            if rank < gaps {
                order.push((self.links.nodes + rank) as u32);
            }
            if rank < gaps && gain > 0.0 || gain > self.penalties.apart {
                order.extend(piece);
            }
        }
        let there = order
            .iter()
            .filter(|&&element| element as usize >= self.links.nodes)
            .count();
        order.extend((self.links.nodes + there..self.place.len()).map(|gap| gap as u32));
        *self = Self::of(self.links, gaps, self.penalties, order);
    }

    #[inline]
    fn next(&self, element: u32) -> u32 {
        let at = self.place[element as usize] as usize + 1;
        self.order[if at == self.order.len() { 0 } else { at }]
    }

    #[inline]
    fn before(&self, element: u32) -> u32 {
        let at = self.place[element as usize] as usize;
        self.order[if at == 0 { self.order.len() } else { at } - 1]
    }

    /// The neighbour ahead, or behind.
    #[inline]
    fn beside(&self, element: u32, ahead: bool) -> u32 {
        if ahead {
            self.next(element)
        } else {
            self.before(element)
        }
    }

    #[inline]
    fn join(&self, a: u32, b: u32) -> f64 {
        self.links.cost(a, b).unwrap_or(self.penalties.apart)
    }

    /// Take a node out.
    pub(super) fn leave_out(&mut self, node: u32, most: f64) -> Option<f64> {
        if !self.has(node) || self.order.len() < 3 {
            return None;
        }
        let (p, s) = (self.before(node), self.next(node));
        let change = self.join(p, s) + self.penalties.drop - self.join(p, node) - self.join(node, s);
        if change >= most {
            return None;
        }
        let at = self.place[node as usize] as usize;
        self.order.remove(at);
        self.place[node as usize] = OUT;
        self.renumber(at);
        Some(change)
    }

    /// Put a node `b` that is out beside `a`.
    pub(super) fn take_in(&mut self, a: u32, b: u32, ahead: bool, most: f64) -> Option<f64> {
        let s = self.beside(a, ahead);
        let change = self.join(a, b) + self.join(b, s) - self.join(a, s) - self.penalties.drop;
        // With one element the tour goes from it to itself, which costs nothing: it is a gap.
        if change >= most {
            return None;
        }
        let at = self.place[a as usize] as usize + usize::from(ahead);
        self.order.insert(at, b);
        self.renumber(at);
        Some(change)
    }

    /// Put a node `b` that is out in the place of `a`'s neighbour.
    pub(super) fn exchange(&mut self, a: u32, b: u32, ahead: bool, most: f64) -> Option<f64> {
        let s = self.beside(a, ahead);
        if s as usize >= self.links.nodes || self.order.len() < 3 {
            return None;
        }
        let t = self.beside(s, ahead);
        let change = self.join(a, b) + self.join(b, t) - self.join(a, s) - self.join(s, t);
        if change >= most {
            return None;
        }
        let at = self.place[s as usize];
        self.order[at as usize] = b;
        self.place[b as usize] = at;
        self.place[s as usize] = OUT;
        Some(change)
    }

    /// Make `a` and `b` neighbours by turning the stretch between them.
    pub(super) fn turn(&mut self, a: u32, b: u32, ahead: bool, most: f64) -> Option<f64> {
        let (s, t) = (self.beside(a, ahead), self.beside(b, ahead));
        if s == b || t == a || a == b {
            return None;
        }
        let change = self.join(a, b) + self.join(s, t) - self.join(a, s) - self.join(b, t);
        if change >= most {
            return None;
        }
        let (first, last) = if ahead { (s, b) } else { (a, t) };
        let m = self.order.len();
        let from = self.place[first as usize] as usize;
        let length = (self.place[last as usize] as usize + m - from) % m + 1;
        // Turning all the rest instead gives the same tour, seen from its other side.
        if 2 * length <= m {
            self.reverse(from, length);
        } else {
            self.reverse((from + length) % m, m - length);
        }
        Some(change)
    }

    /// Move the stretch that begins with `b` and goes on for `more` elements to beside `a`, so that `a` and `b` are
    /// neighbours; the stretch goes `away` from `b` ahead or behind.
    pub(super) fn shift(&mut self, a: u32, b: u32, ahead: bool, more: usize, away: bool, most: f64) -> Option<f64> {
        let m = self.order.len();
        if more + 3 > m || a == b {
            return None;
        }
        let mut end = b;
        for _ in 0..more {
            end = self.beside(end, away);
            if end == a {
                return None;
            }
        }
        let (first, last) = if away { (b, end) } else { (end, b) };
        let (p, q) = (self.before(first), self.next(last));
        let s = self.beside(a, ahead);
        // The gap that it is to fill must not be one of its own ends.
        if s == first || s == last || p == q {
            return None;
        }
        let change = self.join(p, q) - self.join(p, first) - self.join(last, q) + self.join(a, b) + self.join(end, s)
            - self.join(a, s);
        if change >= most {
            return None;
        }
        let (low, high) = if ahead { (a, s) } else { (s, a) };
        self.relocate(first, more + 1, (low, high), (b == first) != ahead);
        Some(change)
    }

    /// Bring the stretch from `first` on between two neighbours that lie outside of it, turned or not.
    fn relocate(&mut self, first: u32, length: usize, (low, high): (u32, u32), turned: bool) {
        let m = self.order.len();
        let from = self.place[first as usize] as usize;
        // Elements between the stretch and its new place, ahead and behind.
        let over = (self.place[low as usize] as usize + m - (from + length - 1)) % m;
        let under = (from + m - self.place[high as usize] as usize) % m;
        if over <= under {
            self.reverse(from, length + over);
            self.reverse(from, over);
            if !turned {
                self.reverse((from + over) % m, length);
            }
        } else {
            let start = (from + m - under) % m;
            self.reverse(start, length + under);
            self.reverse((start + length) % m, under);
            if !turned {
                self.reverse(start, length);
            }
        }
    }

    /// Turn so many elements from a place on, over the end if need be.
    fn reverse(&mut self, from: usize, length: usize) {
        let m = self.order.len();
        let (mut i, mut j) = (from, (from + length + m - 1) % m);
        for _ in 0..length / 2 {
            let (x, y) = (self.order[i], self.order[j]);
            self.order[i] = y;
            self.order[j] = x;
            self.place[y as usize] = i as u32;
            self.place[x as usize] = j as u32;
            i = if i + 1 == m { 0 } else { i + 1 };
            j = if j == 0 { m - 1 } else { j - 1 };
        }
    }

    fn renumber(&mut self, from: usize) {
        for (at, &element) in self.order.iter().enumerate().skip(from) {
            self.place[element as usize] = at as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn every_change_costs_what_it_says() {
        let penalties = Penalties { drop: 7.0, apart: 50.0 };
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for nodes in [2usize, 3, 5, 9] {
            let mut edges = Vec::new();
            for i in 0..nodes as i32 {
                edges.extend((i + 1..nodes as i32).map(|j| [i, j]));
            }
            let costs: Vec<f64> = edges.iter().map(|_| random.random_range(0.0..9.0)).collect();
            let links = Links::new(nodes, &edges[..edges.len() - 1], &costs);
            let mut tour = Tour::new(&links, 2, penalties, &[]);
            let mut cost = tour.cost();
            for _ in 0..4000 {
                let (a, b) = (
                    random.random_range(0..nodes as u32 + 2),
                    random.random_range(0..nodes as u32 + 2),
                );
                let (ahead, away) = (random.random(), random.random());
                let made = match (random.random_range(0..5), tour.has(a), tour.has(b)) {
                    (0, _, _) if (a as usize) < nodes => tour.leave_out(a, 100.0),
                    (1, true, false) => tour.take_in(a, b, ahead, 100.0),
                    (2, true, false) => tour.exchange(a, b, ahead, 100.0),
                    (3, true, true) => tour.turn(a, b, ahead, 100.0),
                    (4, true, true) => tour.shift(a, b, ahead, random.random_range(0..4), away, 100.0),
                    _ => None,
                };
                cost += made.unwrap_or(0.0);
                assert!((cost - tour.cost()).abs() < 1e-6);
                if random.random::<f64>() < 0.01 {
                    tour.prune();
                    assert!(tour.cost() <= cost + 1e-6);
                    cost = tour.cost();
                }
                let mut all = tour.order.clone();
                all.sort_unstable();
                all.dedup();
                assert_eq!(all.len(), tour.order.len());
                assert!((nodes as u32..nodes as u32 + 2).all(|gap| tour.has(gap)));
            }
        }
    }
}
