//! Directions spread evenly over a sphere.
use std::f64::consts::TAU;

/// Unit vectors on the generalised spiral of Saff and Kuijlaars (Math. Intelligencer 19, 5–11, 1997), from pole to pole.
///
/// Heights are equally spaced from -1 to 1; from one to the next the longitude grows by 3.6 / √(n (1 - height²)).
pub(super) fn spiral(n: usize) -> Vec<[f64; 3]> {
    let last = n.saturating_sub(1);
    let mut longitude = 0.0;
    (0..n)
        .map(|k| {
            if k == 0 || k == last {
                return [0.0, 0.0, if k == 0 { -1.0 } else { 1.0 }];
            }
            let height = -1.0 + 2.0 * k as f64 / last as f64;
            let squared = 1.0 - height * height;
            longitude = (longitude + 3.6 / (n as f64 * squared).sqrt()) % TAU;
            let radius = squared.sqrt();
            [radius * longitude.cos(), radius * longitude.sin(), height]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_unit_vectors_from_pole_to_pole_that_balance() {
        for n in 2..120 {
            let found = spiral(n);
            assert_eq!(found.len(), n);
            assert_eq!((found[0], found[n - 1]), ([0.0, 0.0, -1.0], [0.0, 0.0, 1.0]));
            assert!(
                found
                    .iter()
                    .all(|u| (u.iter().map(|c| c * c).sum::<f64>() - 1.0).abs() < 1e-12)
            );
            let height: f64 = found.iter().map(|u| u[2]).sum();
            assert!(height.abs() < 1e-9, "{n}: {height}");
        }
        assert_eq!(spiral(0).len(), 0);
        assert_eq!(spiral(1).len(), 1);
    }

    #[test]
    fn no_two_of_many_are_close() {
        let found = spiral(106);
        for (i, a) in found.iter().enumerate() {
            for b in &found[..i] {
                let cosine: f64 = (0..3).map(|k| a[k] * b[k]).sum();
                assert!(cosine < (0.15_f64).cos(), "closer than half of the mean spacing, 0.34");
            }
        }
    }
}
