"""What the Rust core offers; `kernels/` wraps and explains each."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_F32 = NDArray[np.float32]
_F64 = NDArray[np.float64]
_Triple = tuple[float, ...]
_Shape = tuple[int, ...]
_Progress = Callable[[int, int], object] | None

def set_threads(threads: int) -> None: ...
def threads() -> int: ...

# align
def align_matrix(
    scores: _F32 | _F64, gap_open: tuple[float, float], gap_extend: tuple[float, float], how: str
) -> tuple[NDArray[np.int32], float]: ...
def thread_path(
    scores: _F32, xyz: _F64, ideal_distance: float, distance_weight: float, max_skip: int, progress: _Progress
) -> tuple[NDArray[np.int32], float]: ...
def thread_paths(
    stack: _F32, xyz: _F64, ideal_distance: float, distance_weight: float, max_skip: int, progress: _Progress
) -> tuple[NDArray[np.int32], _F64]: ...
def thread_gapped(
    scores: _F32, xyz: _F64, breaks: NDArray[np.bool_], costs: list[float], max_skip: int, progress: _Progress
) -> tuple[NDArray[np.int32], float]: ...
def best_stretches(
    scores: _F32,
    steps: tuple[NDArray[np.int32], NDArray[np.int32], _F32],
    pairs: tuple[NDArray[np.int32], NDArray[np.int32]],
    leaps: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]],
    ground: tuple[_F64, NDArray[np.bool_], _F64],
    costs: tuple[float, float, float, float, float, float, float],
    counts: tuple[int, int, int, int],
) -> list[tuple[float, NDArray[np.int32], NDArray[np.int32]]]: ...

# cloud
_Motion = tuple[_F64, _F64]

def descriptors(xyz: _F64, normals: _F64, centres: _F64, radius: float, progress: _Progress) -> _F32: ...
def match_descriptors(a: _F32, b: _F32, k: int, progress: _Progress) -> tuple[NDArray[np.int32], bool]: ...
def register(
    mobile: _F64, target: _F64, noise: float, limit: int
) -> tuple[_Motion, NDArray[np.int64], int, bool] | None: ...
def robust_icp(
    source: _F64, target: _F64, rotation: _F64, translation: list[float], last_scale: float | None
) -> tuple[_Motion, float, int]: ...
def agreement(
    source: tuple[_F64, _F64],
    target: tuple[_F64, _F64],
    rotations: _F64,
    translations: _F64,
    within: float,
    cosine: float,
    progress: _Progress,
) -> NDArray[np.int64]: ...
def triple_motions(mobile: _F64, target: _F64, rules: tuple[float, float, int], progress: _Progress) -> _Motion: ...
def field_scores(
    vectors: _F32,
    grid: tuple[_Shape, _Triple, _Triple],
    cloud: tuple[_F64, _F64],
    rotations: _F64,
    translations: _F64,
    progress: _Progress,
) -> _F64: ...
def field_ascent(
    vectors: _F32,
    grid: tuple[_Shape, _Triple, _Triple],
    cloud: tuple[_F64, _F64],
    rotations: _F64,
    translations: _F64,
    step: float,
    progress: _Progress,
) -> tuple[_Motion, _F64]: ...

# fragments
def ungapped(scores: _F32, breaks: NDArray[np.bool_], most: int, shortest: int) -> tuple[NDArray[np.int32], _F64]: ...
def fragment_conflicts(
    sequence: NDArray[np.int32],
    starts: NDArray[np.int32],
    residue: NDArray[np.int32],
    xyz: _F64,
    rules: tuple[float, float, float],
    progress: _Progress,
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]: ...

# graph
_Edges = NDArray[np.int32]

def neighbour_pairs(xyz: _F64, radius: float, progress: _Progress) -> tuple[_Edges, _F64]: ...
def nearest(xyz: _F64, query: _F64, k: int) -> tuple[NDArray[np.int32], _F64]: ...
def contact_edges(voxels_zyx: NDArray[np.int32], owner: NDArray[np.int32], shape_zyx: list[int]) -> _Edges: ...
def connected_components(n: int, edges: _Edges) -> NDArray[np.int32]: ...
def minimum_spanning_tree(n: int, edges: _Edges, weights: _F64) -> NDArray[np.int32]: ...
def local_spanning_edges(
    xyz: _F64, edges: _Edges, weights: _F64, radius: float, progress: _Progress
) -> NDArray[np.int32]: ...
def longest_path(n: int, edges: _Edges, weights: _F64) -> tuple[NDArray[np.int32], float]: ...
def tabu_trees(
    n: int,
    edges: _Edges,
    lengths: _F64,
    scores: _F64,
    start: NDArray[np.int32],
    frozen: NDArray[np.bool_],
    settings: tuple[int, int, int, float, int, float, int],
    progress: _Progress,
) -> list[tuple[NDArray[np.int32], float, list[NDArray[np.int32]]]]: ...
def skeleton(n: int, edges: _Edges, lengths: _F64, shortest: float) -> list[NDArray[np.int32]]: ...
def order_segments(
    join: _F64, skip: _F64, settings: tuple[int, int, float, float, int], progress: _Progress
) -> list[tuple[float, NDArray[np.uint32]]]: ...
def along_bonds(
    values: _F32,
    voxel_xyz: _Triple,
    origin_xyz: _Triple,
    xyz: _F64,
    pairs: NDArray[np.int32],
    fractions: list[float],
    progress: _Progress,
) -> tuple[_F32, _F32]: ...
def direction_odds(
    carbon: _F32,
    nitrogen: _F32,
    voxel_xyz: _Triple,
    origin_xyz: _Triple,
    xyz: _F64,
    pairs: NDArray[np.int32],
    fractions: tuple[float, float],
    floor: float,
    progress: _Progress,
) -> _F32: ...
def find_routes(
    edges: NDArray[np.int32],
    costs: _F64,
    task: tuple[int, int, float, float],
    start: list[list[int]],
    settings: tuple[int, int, float, float, int],
    progress: _Progress,
) -> list[tuple[float, list[NDArray[np.uint32]]]]: ...

# grid
def interpolate(
    values: _F32, voxel_xyz: _Triple, origin_xyz: _Triple, xyz: _F64, cubic: bool, outside: float
) -> _F32: ...
def gradient(values: _F32, voxel_xyz: _Triple, origin_xyz: _Triple, xyz: _F64) -> _F64: ...
def resample(
    values: _F32,
    voxel_xyz: _Triple,
    origin_xyz: _Triple,
    new_shape_zyx: _Shape,
    new_voxel_xyz: _Triple,
    new_origin_xyz: _Triple,
    cubic: bool,
) -> _F32: ...
def upsample2(values: _F32) -> _F32: ...
def gaussian(values: _F32, sigma_zyx_voxels: _Triple) -> _F32: ...
def laplacian(values: _F32, voxel_xyz: _Triple) -> _F32: ...
def label_components(values: _F32, threshold: float) -> tuple[NDArray[np.int32], NDArray[np.int64]]: ...
def mask_around(
    shape_zyx: _Shape, voxel_xyz: _Triple, origin_xyz: _Triple, xyz: _F64, radius: float
) -> NDArray[np.bool_]: ...
def nearest_around(
    shape_zyx: _Shape, voxel_xyz: _Triple, origin_xyz: _Triple, xyz: _F64, radius: float
) -> NDArray[np.int32]: ...
def unit_vectors(
    values: _F32,
    grid: tuple[_Triple, _Triple],
    new_grid: tuple[_Shape, _Triple, _Triple],
    bandwidth: float,
    threshold: float,
    progress: _Progress,
) -> tuple[_F32, _F32]: ...
def statistics(values: _F32) -> tuple[float, float, float, float, int]: ...
def volume_threshold(values: _F32, n_voxels: int) -> float: ...

# hmm
_Transitions = tuple[NDArray[np.int32], _F32, _F32]

def viterbi(
    emission: _F32,
    sequence: NDArray[np.int32],
    initial: _F32,
    transitions: _Transitions,
    once: bool,
    progress: _Progress,
) -> tuple[NDArray[np.int32], float]: ...
def posterior(emission: _F32, sequence: NDArray[np.int32], layers: list[_Transitions], breaks: list[float]) -> _F32: ...
def visits(
    emission: _F32,
    sequences: list[tuple[NDArray[np.int32], int, _F32 | None]],
    layers: list[_Transitions],
    breaks: list[float],
    passing: tuple[int, float, int],
    progress: _Progress,
) -> list[tuple[_F32, _F32]]: ...
def trace_sequence(
    emission: _F32,
    sequence: NDArray[np.int32],
    more: _F32 | None,
    xyz: _F64,
    bonds: _Transitions,
    tables: tuple[float, _F32, _F32, _F32],
    costs: list[float],
    kept: list[int],
    progress: _Progress,
) -> tuple[NDArray[np.int32], float]: ...

# metrics
def superpose(mobile: _F64, target: _F64, weights: _F64 | None) -> tuple[_F64, _F64, float]: ...
def tm_score(
    mobile: _F64, target: _F64, native_length: int, progress: _Progress
) -> tuple[float, _F64, _F64, list[float]]: ...
def tm_distance_scale(native_length: int) -> float: ...
def match_points(a: _F64, b: _F64, max_distance: float) -> tuple[NDArray[np.int32], _F64]: ...
def lddt(
    model: _F64,
    reference: _F64,
    partner: NDArray[np.int32],
    residue: NDArray[np.int32],
    radius: float,
    thresholds: list[float],
    progress: _Progress,
) -> tuple[float, _F64]: ...

# mixture
_Mixture = tuple[_F64, _F64, _F64]

def map_mixture(values: _F32, voxel_xyz: _Triple, origin_xyz: _Triple, threshold: float, side: int) -> _Mixture: ...
def fit_mixture(
    input: _Mixture, components: int, rounds: int, tolerance: float, seed: int, progress: _Progress
) -> tuple[_Mixture, _F64]: ...
def mixture_overlap(one: _Mixture, other: _Mixture) -> float: ...
def mixture_overlap_slope(
    fixed: _Mixture, moving: _Mixture, rotation: list[float], translation: list[float]
) -> tuple[float, list[float], list[float]]: ...
def mixture_starts(map: _Mixture, model: _Mixture, count: int, seed: int) -> tuple[_F64, _F64]: ...
def fit_rigid_mixture(
    map: _Mixture, model: _Mixture, starts: tuple[_F64, _F64], climb: tuple[int, float], progress: _Progress
) -> tuple[_F64, _F64, _F64]: ...
def fit_complex_mixture(
    map: _Mixture,
    models: list[_Mixture],
    search: tuple[int, int, int],
    climb: tuple[int, float],
    progress: _Progress,
) -> tuple[_F64, _F64, _F64, _F64, _F64]: ...

# peaks
def local_maxima(map: _F32, threshold: float) -> NDArray[np.int32]: ...
def mean_shift(
    map: _F32,
    threshold: float,
    bandwidth_voxels: list[float],
    max_shift_voxels: list[float],
    tolerance: float,
    max_steps: int,
    progress: _Progress,
) -> tuple[NDArray[np.int32], _F64, _F32]: ...
def climb_from(
    map: _F32,
    points_zyx: _F64,
    bandwidth_voxels: list[float],
    max_shift_voxels: list[float],
    limits: tuple[float, int],
    progress: _Progress,
) -> tuple[_F64, _F32]: ...
def kernel_density(map: _F32, points_zyx: _F64, bandwidth_voxels: list[float], progress: _Progress) -> _F32: ...
def merge_points(
    points: _F64, density: _F32, radius: float, keep: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int32], NDArray[np.int32]]: ...

# quality
def radial_correlation(
    values: _F32, voxel_xyz: _Triple, origin_xyz: _Triple, xyz: _F64, sigmas: _F64, progress: _Progress
) -> _F64: ...

# refine
def refine_atoms(
    values: _F32,
    voxel_xyz: _Triple,
    origin_xyz: _Triple,
    xyz: _F64,
    weights: tuple[_F64, _F64],
    pairs: tuple[NDArray[np.int32], _F64, _F64],
    corners: tuple[NDArray[np.int32], _F64, float],
    turns: tuple[NDArray[np.int32], _F64, float],
    apart: tuple[NDArray[np.int32], _F64, float],
    effort: tuple[int, int],
    progress: _Progress,
) -> tuple[_F64, float]: ...

# rigid
_Placed = tuple[_F64, _F64, _F64 | None]
_Poses = tuple[_F64, _F64]

def refine_poses(
    map: tuple[_F32, _Triple, _Triple],
    points: _Placed,
    metric: str,
    starts: _Poses,
    steps: int,
    progress: _Progress,
) -> tuple[_F64, _F64, _F64]: ...
def measure_poses(map: tuple[_F32, _Triple, _Triple], points: _Placed, at: _Poses, threshold: float) -> _F64: ...
def distinct_poses(
    rotations: _F64, translations: _F64, centre: _Triple, near: tuple[_F64 | None, float, float], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]: ...

# rotations
def uniform_rotations(step: float) -> tuple[_F64, float]: ...
def local_rotations(radius: float, step: float) -> _F64: ...
def random_rotations(count: int, seed: int) -> _F64: ...

# rotamers
def choose_candidates(
    atoms: tuple[_F64, _F64, NDArray[np.bool_]],
    groups: tuple[NDArray[np.int64], NDArray[np.int64], _F64],
    free: NDArray[np.int32],
    rules: tuple[float, float, float, int],
    progress: _Progress,
) -> tuple[NDArray[np.int32], float]: ...

# torsions
def torsion_costs(kinds: NDArray[np.int32], angles: _F64, table: _F64) -> _F64: ...
def choose_planes(
    calpha: _F64,
    bonded: NDArray[np.bool_],
    planes: _F64,
    costs: _F64,
    kinds: NDArray[np.int32],
    table: _F64,
    angle: tuple[float, float],
    progress: _Progress,
) -> tuple[NDArray[np.int32], float]: ...

# search
def rotational_search(
    target: tuple[_F32, _Triple, NDArray[Any] | None, NDArray[Any] | None],
    template: tuple[_F32, _Triple, _Triple, bool],
    score: str,
    rotations: _F64,
    progress: _Progress,
) -> tuple[_F32, NDArray[np.uint32], _F32, NDArray[np.uint32]]: ...
def fast_size(n: int) -> int: ...

# simulate
def simulate_blurred(
    shape_zyx: _Shape,
    voxel_xyz: _Triple,
    origin_xyz: _Triple,
    xyz: _F64,
    weight: _F64,
    sigma: _F64,
    progress: _Progress = None,
) -> _F32: ...
def simulate_electron(
    shape_zyx: _Shape,
    voxel_xyz: _Triple,
    origin_xyz: _Triple,
    xyz: _F64,
    tables: tuple[_F64, _F64],
    atoms: tuple[NDArray[np.int64], _F64, _F64],
    b_resolution: float,
    progress: _Progress = None,
) -> _F32: ...

# A topic that has no signatures here yet.
def __getattr__(name: str) -> Any: ...
