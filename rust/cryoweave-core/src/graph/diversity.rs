//! Whether a path is one that has been found already.
use std::collections::HashMap;

use super::tree::NONE;

/// The paths found so far, and what was asked about them.
pub(super) struct Earlier {
    nodes: usize,
    limit: f64,
    /// For each path: every node's place in it, and its length.
    paths: Vec<(Vec<u32>, usize)>,
    /// Most moves leave the heaviest path as it is, so the same question comes again and again.
    answers: HashMap<u64, bool>,
    ranks: Vec<u32>,
    spare: Vec<u32>,
}

impl Earlier {
    pub(super) fn new(nodes: usize, limit: f64) -> Self {
        Self {
            nodes,
            limit,
            paths: vec![],
            answers: HashMap::new(),
            ranks: vec![],
            spare: vec![],
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    pub(super) fn remember(&mut self, path: &[u32]) {
        let mut rank = vec![NONE; self.nodes];
        for (place, &node) in (0..).zip(path) {
            rank[node as usize] = place;
        }
        self.paths.push((rank, path.len()));
        self.answers.clear();
    }

    /// Whether |tau| with any earlier path exceeds the limit.
    ///
    /// tau = (concordant - discordant pairs of shared nodes) / (pairs of nodes of the longer path): 1 for the same path,
    /// -1 for the same reversed, near 0 for paths that share little.
    pub(super) fn alike(&mut self, path: &[u32]) -> bool {
        if self.paths.is_empty() || self.limit >= 1.0 {
            return false;
        }
        let key = path.iter().fold(path.len() as u64, |hash, &node| {
            (hash.rotate_left(23) ^ u64::from(node)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        });
        if let Some(&known) = self.answers.get(&key) {
            return known;
        }
        let alike = self.paths.iter().any(|(rank, length)| {
            self.ranks.clear();
            self.ranks.extend(
                path.iter()
                    .map(|&node| rank[node as usize])
                    .filter(|&rank| rank != NONE),
            );
            let pairs = |n: usize| n as f64 * (n as f64 - 1.0) / 2.0;
            let (shared, all) = (pairs(self.ranks.len()), pairs(path.len().max(*length)).max(1.0));
            if shared / all <= self.limit {
                return false;
            }
            let discordant = inversions(&mut self.ranks, &mut self.spare) as f64;
            ((shared - 2.0 * discordant) / all).abs() > self.limit
        });
        self.answers.insert(key, alike);
        alike
    }
}

/// Pairs in the wrong order, counted while sorting by merging.
fn inversions(values: &mut [u32], spare: &mut Vec<u32>) -> u64 {
    let middle = values.len() / 2;
    if middle == 0 {
        return 0;
    }
    let mut count = inversions(&mut values[..middle], spare) + inversions(&mut values[middle..], spare);
    if values[middle - 1] <= values[middle] {
        return count;
    }
    spare.clear();
    spare.extend_from_slice(&values[..middle]);
    let (mut left, mut right) = (0, middle);
    let mut to = 0;
    while left < spare.len() {
        if right < values.len() && values[right] < spare[left] {
            count += (spare.len() - left) as u64;
            values[to] = values[right];
            right += 1;
        } else {
            values[to] = spare[left];
            left += 1;
        }
        to += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inversions_are_counted() {
        let mut spare = Vec::new();
        assert_eq!(inversions(&mut [4, 3, 2, 1, 0], &mut spare), 10);
        assert_eq!(inversions(&mut [0, 2, 1, 4, 3, 5], &mut spare), 2);
        assert_eq!(inversions(&mut [], &mut spare), 0);
    }

    #[test]
    fn a_path_is_like_itself_and_its_reverse_only() {
        let mut earlier = Earlier::new(40, 0.95);
        let path: Vec<u32> = (0..20).collect();
        let other: Vec<u32> = (10..30).collect();
        assert!(!earlier.alike(&path));
        earlier.remember(&path);
        assert!(earlier.alike(&path) && earlier.alike(&path.iter().rev().copied().collect::<Vec<_>>()));
        assert!(!earlier.alike(&other));
    }
}
