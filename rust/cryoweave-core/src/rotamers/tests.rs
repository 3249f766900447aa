use super::*;
use proptest::prelude::*;

const RULES: Rules = Rules {
    stiffness: 3.0,
    hydrogen_bond: 0.5,
    window: f64::INFINITY,
    seed: 1,
};

/// Groups of one-atom candidates along a line.
fn line(places: &[Vec<f64>], costs: &[f64]) -> (Vec<i32>, f64) {
    let xyz: Vec<[f64; 3]> = places.iter().flatten().map(|&x| [x, 0.0, 0.0]).collect();
    let mut groups = vec![0];
    for group in places {
        groups.push(groups[groups.len() - 1] + group.len());
    }
    let given = Candidates {
        xyz: &xyz,
        radius: &vec![1.0; xyz.len()],
        polar: &vec![false; xyz.len()],
        atoms: &(0..=xyz.len()).collect::<Vec<_>>(),
        groups: &groups,
        costs,
        free: &[],
    };
    choose_candidates(&given, RULES, &Control::default()).unwrap()
}

fn brute(places: &[Vec<f64>], costs: &[f64]) -> f64 {
    let mut best = f64::INFINITY;
    let total: usize = places.iter().map(Vec::len).product();
    for mut number in 0..total {
        let (mut at, mut energy, mut first) = (Vec::new(), 0.0, 0);
        for group in places {
            let candidate = number % group.len();
            number /= group.len();
            energy += costs[first + candidate];
            at.push(group[candidate]);
            first += group.len();
        }
        for i in 0..at.len() {
            for j in 0..i {
                energy += 3.0 * (2.0 - (at[i] - at[j]).abs()).max(0.0).powi(2);
            }
        }
        best = f64::min(best, energy);
    }
    best
}

proptest! {
    #[test]
    fn nothing_is_better(
        places in prop::collection::vec(prop::collection::vec(0.0..6.0f64, 1..4), 1..6),
        costs in prop::collection::vec(0.0..4.0f64, 15),
    ) {
        let count: usize = places.iter().map(Vec::len).sum();
        let (_, energy) = line(&places, &costs[..count]);
        prop_assert!((energy - brute(&places, &costs[..count])).abs() < 1e-9);
    }
}

#[test]
fn a_crowd_is_annealed_to_where_nothing_overlaps() {
    let count = 24;
    let places: Vec<Vec<f64>> = (0..count)
        .map(|_| (0..count).map(|k| 2.0 * k as f64).collect())
        .collect();
    let (chosen, energy) = line(&places, &vec![0.0; count * count]);
    assert_eq!(energy, 0.0, "{chosen:?}");
}

#[test]
fn bad_offsets_are_refused() {
    let given = Candidates {
        xyz: &[[0.0; 3]],
        radius: &[1.0],
        polar: &[false],
        atoms: &[0, 1],
        groups: &[0, 0, 1],
        costs: &[0.0],
        free: &[],
    };
    let found = choose_candidates(&given, RULES, &Control::default());
    assert!(matches!(found, Err(Error::Row { row: 0, .. })), "{found:?}");
}
