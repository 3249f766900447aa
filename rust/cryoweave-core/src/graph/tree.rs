//! A tree laid out in preorder, so that every subtree is a run of places and a sweep over it runs through memory.
use super::Adjacency;

/// No place.
pub(super) const NONE: u32 = u32::MAX;

/// A spanning tree, rooted at one end of its heaviest path. "Place" means a node's number in preorder; the root's is 0.
pub(super) struct Rooted {
    /// The node at each place, and the place of each node.
    pub(super) node: Vec<u32>,
    pub(super) place: Vec<u32>,
    /// For each place: its parent's place, the edge to it, that edge's weight, and the size of the subtree.
    pub(super) parent: Vec<u32>,
    pub(super) edge: Vec<u32>,
    pub(super) weight: Vec<f64>,
    pub(super) size: Vec<u32>,
}

/// Replace the edge above the place `cut` by the edge `add`, from `inner` (below the cut) to `outer`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) cut: u32,
    pub(super) add: u32,
    pub(super) inner: u32,
    pub(super) outer: u32,
    pub(super) weight: f64,
}

impl Rooted {
    /// From the indices of its edges, which must span all nodes without a cycle.
    pub(super) fn new(nodes: usize, edges: &[[i32; 2]], weights: &[f64], tree: &[u32]) -> Self {
        let links = Adjacency::new(nodes, edges, tree.iter().map(|&e| e as usize));
        let any = Self::from_root(0, nodes, &links, weights);
        let mut reach = vec![0.0; nodes];
        let mut farthest = 0;
        for place in 1..any.parent.len() {
            reach[place] = reach[any.parent[place] as usize] + any.weight[place];
            if reach[place] > reach[farthest] {
                farthest = place;
            }
        }
        match any.node.get(farthest) {
            Some(&root) if root != 0 => Self::from_root(root, nodes, &links, weights),
            _ => any,
        }
    }

    fn from_root(root: u32, nodes: usize, links: &Adjacency, weights: &[f64]) -> Self {
        let mut tree = Self {
            node: Vec::with_capacity(nodes),
            place: vec![NONE; nodes],
            parent: Vec::with_capacity(nodes),
            edge: Vec::with_capacity(nodes),
            weight: Vec::with_capacity(nodes),
            size: vec![1; nodes],
        };
        let mut open = if nodes == 0 { vec![] } else { vec![(root, NONE, NONE)] };
        while let Some((node, parent, edge)) = open.pop() {
            let place = tree.node.len() as u32;
            tree.place[node as usize] = place;
            tree.node.push(node);
            tree.parent.push(parent);
            tree.edge.push(edge);
            tree.weight
                .push(if edge == NONE { 0.0 } else { weights[edge as usize] });
            let onward = links.of(node as usize).iter().filter(|&&(_, e)| e != edge);
            open.extend(onward.map(|&(other, e)| (other, place, e)));
        }
        for place in (1..tree.node.len()).rev() {
            tree.size[tree.parent[place] as usize] += tree.size[place];
        }
        tree
    }

    /// Whether a place lies below (or at) another.
    pub(super) fn is_below(&self, place: u32, top: u32) -> bool {
        place >= top && place < top + self.size[top as usize]
    }

    /// The tree taken apart: its heaviest path, then the heaviest branch that hangs on what has been taken, and so on.
    ///
    /// Each as (weight, nodes); a branch begins with the node that it hangs on.
    pub(super) fn branches(&self) -> Vec<(f64, Vec<i32>)> {
        let places = self.node.len();
        let mut depth = vec![0.0; places];
        let mut heir = vec![NONE; places];
        for place in (1..places).rev() {
            let parent = self.parent[place] as usize;
            let down = self.weight[place] + depth[place];
            if heir[parent] == NONE || down > depth[parent] {
                depth[parent] = down;
                heir[parent] = place as u32;
            }
        }
        let mut found = Vec::new();
        for (place, &hangs_on) in self.parent.iter().enumerate() {
            if hangs_on != NONE && heir[hangs_on as usize] == place as u32 {
                continue;
            }
            let mut nodes = Vec::new();
            if hangs_on != NONE {
                nodes.push(self.node[hangs_on as usize] as i32);
            }
            let mut at = place as u32;
            while at != NONE {
                nodes.push(self.node[at as usize] as i32);
                at = heir[at as usize];
            }
            found.push((self.weight[place] + depth[place], nodes));
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        if let Some((_, path)) = found.first_mut().filter(|(_, path)| path.first() > path.last()) {
            path.reverse();
        }
        found
    }
}
