//! The largest set of nodes that are all joined to each other.
//!
//! Branch and bound with a greedy colouring as the bound: Tomita & Seki 2003, doi 10.1007/3-540-45066-1_22.
use crate::control::Control;
use crate::error::{Error, Result};

const WORD: usize = 64;
/// A graph of more nodes would take half a gigabyte.
const MOST_NODES: usize = 65_536;

/// An undirected graph as rows of bits.
pub struct Graph {
    nodes: usize,
    words: usize,
    bits: Vec<u64>,
}

impl Graph {
    /// Join every pair `i < j` for which `joined(i, j)`.
    pub fn new(nodes: usize, joined: impl Fn(usize, usize) -> bool) -> Result<Self> {
        if nodes > MOST_NODES {
            return Err(Error::Parameter {
                name: "correspondences",
                rule: "at most 65536",
                value: nodes as f64,
            });
        }
        let words = nodes.div_ceil(WORD);
        let mut graph = Self {
            nodes,
            words,
            bits: vec![0; nodes * words],
        };
        for i in 0..nodes {
            for j in i + 1..nodes {
                if joined(i, j) {
                    set(&mut graph.bits[i * words..][..words], j);
                    set(&mut graph.bits[j * words..][..words], i);
                }
            }
        }
        Ok(graph)
    }

    /// The nodes joined to one, as bits.
    pub(super) fn row(&self, node: usize) -> &[u64] {
        &self.bits[node * self.words..][..self.words]
    }

    /// The nodes joined to both.
    pub(super) fn shared(&self, a: usize, b: usize) -> Vec<u64> {
        both(self.row(a), self.row(b))
    }

    fn degree(&self, node: usize) -> usize {
        count(self.row(node))
    }
}

fn set(bits: &mut [u64], at: usize) {
    bits[at / WORD] |= 1 << (at % WORD);
}

fn clear(bits: &mut [u64], at: usize) {
    bits[at / WORD] &= !(1 << (at % WORD));
}

fn count(bits: &[u64]) -> usize {
    bits.iter().map(|word| word.count_ones() as usize).sum()
}

fn first(bits: &[u64]) -> Option<usize> {
    let word = bits.iter().position(|&word| word != 0)?;
    Some(word * WORD + bits[word].trailing_zeros() as usize)
}

/// Places of the set bits, rising.
pub(super) fn ones(bits: &[u64]) -> impl Iterator<Item = usize> + '_ {
    bits.iter().enumerate().flat_map(|(at, &word)| {
        let mut left = word;
        std::iter::from_fn(move || {
            let bit = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            (bit < WORD).then_some(at * WORD + bit)
        })
    })
}

fn both(a: &[u64], b: &[u64]) -> Vec<u64> {
    a.iter().zip(b).map(|(a, b)| a & b).collect()
}

/// Nodes that are all joined to each other.
#[derive(Debug, PartialEq)]
pub struct Clique {
    /// By rising number.
    pub nodes: Vec<usize>,
    /// Whether it is known that none is larger; if not, the search stopped at its limit.
    pub exact: bool,
}

/// The largest clique, or the largest found in `limit` branchings (0: greedily only).
pub fn largest_clique(graph: &Graph, limit: usize, control: &Control) -> Result<Clique> {
    let mut order: Vec<usize> = (0..graph.nodes).collect();
    order.sort_by_key(|&node| (std::cmp::Reverse(graph.degree(node)), node));
    let mut best = Vec::new();
    for &node in &order {
        control.check()?;
        let found = greedy(graph, node);
        if found.len() > best.len() {
            best = found;
        }
    }
    let mut search = Search {
        graph,
        control,
        left: limit,
        chosen: Vec::new(),
        best,
        exact: true,
    };
    let mut all = vec![0; graph.words];
    (0..graph.nodes).for_each(|node| set(&mut all, node));
    search.branch(all)?;
    search.best.sort_unstable();
    Ok(Clique {
        nodes: search.best,
        exact: search.exact,
    })
}

/// Grow a clique from one node, each time by the candidate that leaves most candidates.
fn greedy(graph: &Graph, node: usize) -> Vec<usize> {
    let (mut clique, mut candidates) = (vec![node], graph.row(node).to_vec());
    // Of a dense graph's many candidates a few of the first tell enough.
    const TRIED: usize = 16;
    loop {
        let mut rest = candidates.clone();
        let mut next: Option<(usize, Vec<u64>, usize)> = None;
        for _ in 0..TRIED {
            let Some(candidate) = first(&rest) else { break };
            clear(&mut rest, candidate);
            let left = both(&candidates, graph.row(candidate));
            let size = count(&left);
            if next.as_ref().is_none_or(|(_, _, most)| size > *most) {
                next = Some((candidate, left, size));
            }
        }
        match next {
            Some((candidate, left, _)) => {
                clique.push(candidate);
                candidates = left;
            }
            None => return clique,
        }
    }
}

struct Search<'a> {
    graph: &'a Graph,
    control: &'a Control,
    left: usize,
    chosen: Vec<usize>,
    best: Vec<usize>,
    exact: bool,
}

impl Search<'_> {
    fn branch(&mut self, mut candidates: Vec<u64>) -> Result<()> {
        let coloured = self.colour(&candidates);
        for &(node, colours) in coloured.iter().rev() {
            if self.chosen.len() + colours <= self.best.len() {
                return Ok(());
            }
            if self.left == 0 {
                self.exact = false;
                return Ok(());
            }
            self.left -= 1;
            self.control.check()?;
            self.chosen.push(node);
            let next = both(&candidates, self.graph.row(node));
            if first(&next).is_some() {
                self.branch(next)?;
            } else if self.chosen.len() > self.best.len() {
                self.best.clone_from(&self.chosen);
            }
            self.chosen.pop();
            clear(&mut candidates, node);
        }
        Ok(())
    }

    /// Candidates that may still lead to a larger clique, each with the number of colours that it and those before it
    /// need: no clique among them has more nodes.
    fn colour(&self, candidates: &[u64]) -> Vec<(usize, usize)> {
        let mut left = candidates.to_vec();
        let mut coloured = Vec::new();
        let mut colour = 0;
        let needless = self.best.len().saturating_sub(self.chosen.len());
        while first(&left).is_some() {
            colour += 1;
            let mut class = left.clone();
            while let Some(node) = first(&class) {
                clear(&mut class, node);
                clear(&mut left, node);
                let joined = self.graph.row(node);
                class.iter_mut().zip(joined).for_each(|(word, row)| *word &= !row);
                if colour > needless {
                    coloured.push((node, colour));
                }
            }
        }
        coloured
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(nodes: usize, edges: &[bool]) -> Graph {
        Graph::new(nodes, |i, j| edges[(i * nodes + j) % edges.len()]).unwrap()
    }

    fn is_clique(graph: &Graph, nodes: &[usize]) -> bool {
        let joined = |i: usize, j: usize| graph.row(i)[j / WORD] >> (j % WORD) & 1 == 1;
        nodes
            .iter()
            .enumerate()
            .all(|(at, &i)| nodes[at + 1..].iter().all(|&j| joined(i, j)))
    }

    fn slow(graph: &Graph) -> usize {
        let subset = |mask: usize| (0..graph.nodes).filter(|i| mask >> i & 1 == 1).collect::<Vec<_>>();
        let cliques = (0..1_usize << graph.nodes).map(subset).filter(|s| is_clique(graph, s));
        cliques.map(|nodes| nodes.len()).max().unwrap()
    }

    proptest! {
        #[test]
        fn it_is_the_largest_of_all_subsets(nodes in 0..11_usize, edges in prop::collection::vec(any::<bool>(), 121)) {
            let graph = of(nodes, &edges);
            let found = largest_clique(&graph, usize::MAX, &Control::default()).unwrap();
            prop_assert!(found.exact && is_clique(&graph, &found.nodes));
            prop_assert_eq!(found.nodes.len(), slow(&graph));
        }

        #[test]
        fn a_limit_still_gives_a_clique(nodes in 60..90_usize, edges in prop::collection::vec(prop::bool::weighted(0.7), 997)) {
            let graph = of(nodes, &edges);
            let found = largest_clique(&graph, 3, &Control::default()).unwrap();
            prop_assert!(is_clique(&graph, &found.nodes) && found.nodes.len() > 3);
        }
    }

    #[test]
    fn a_hidden_clique_is_found_among_many_nodes() {
        let hidden = |i: usize| i % 13 == 5;
        let graph = Graph::new(400, |i, j| (hidden(i) && hidden(j)) || (i * 31 + j * 17) % 10 < 2).unwrap();
        let found = largest_clique(&graph, 100_000, &Control::default()).unwrap();
        assert!(found.exact && found.nodes.len() >= 31);
        let control = Control::default();
        control.cancel();
        assert_eq!(largest_clique(&graph, 100_000, &control), Err(Error::Cancelled));
    }
}
