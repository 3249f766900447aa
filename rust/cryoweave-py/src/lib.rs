//! The door between Python and the core: borrow, check, `enter`, hand over.
use pyo3::prelude::*;

mod align;
mod arrays;
mod cloud;
mod enter;
mod error;
mod fragments;
mod graph;
mod grid;
mod hmm;
mod metrics;
mod mixture;
mod peaks;
mod quality;
mod refine;
mod rigid;
mod rotamers;
mod rotations;
mod search;
mod simulate;
mod torsions;

#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use super::align::{align_matrix, best_stretches, thread_gapped, thread_path, thread_paths};
    #[pymodule_export]
    use super::cloud::{
        agreement, descriptors, field_ascent, field_scores, match_descriptors, register, robust_icp, triple_motions,
    };
    #[pymodule_export]
    use super::enter::{set_threads, threads};
    #[pymodule_export]
    use super::fragments::{fragment_conflicts, ungapped};
    #[pymodule_export]
    use super::graph::{
        along_bonds, connected_components, contact_edges, direction_odds, find_routes, local_spanning_edges,
        longest_path, minimum_spanning_tree, nearest, neighbour_pairs, order_segments, skeleton, tabu_trees,
    };
    #[pymodule_export]
    use super::grid::{
        gaussian, gradient, interpolate, label_components, laplacian, mask_around, nearest_around, resample,
        statistics, unit_vectors, upsample2, volume_threshold,
    };
    #[pymodule_export]
    use super::hmm::{posterior, trace_sequence, visits, viterbi};
    #[pymodule_export]
    use super::metrics::{lddt, match_points, superpose, tm_distance_scale, tm_score};
    #[pymodule_export]
    use super::mixture::{
        fit_complex_mixture, fit_mixture, fit_rigid_mixture, map_mixture, mixture_overlap, mixture_overlap_slope,
        mixture_starts,
    };
    #[pymodule_export]
    use super::peaks::{climb_from, kernel_density, local_maxima, mean_shift, merge_points};
    #[pymodule_export]
    use super::quality::radial_correlation;
    #[pymodule_export]
    use super::refine::refine_atoms;
    #[pymodule_export]
    use super::rigid::{distinct_poses, measure_poses, refine_poses};
    #[pymodule_export]
    use super::rotamers::choose_candidates;
    #[pymodule_export]
    use super::rotations::{local_rotations, random_rotations, uniform_rotations};
    #[pymodule_export]
    use super::search::{fast_size, rotational_search};
    #[pymodule_export]
    use super::simulate::{simulate_blurred, simulate_electron};
    #[pymodule_export]
    use super::torsions::{choose_planes, torsion_costs};
}
