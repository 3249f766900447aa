use cryoweave_core::graph::{self, Annealing, Candidates, Search, Task};
use numpy::ndarray::Array2;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3};
use pyo3::prelude::*;

use crate::arrays::{column, rows};
use crate::enter::{enter, enter_reporting};
use crate::error::InputError;
use crate::grid::{Triple, frame};

type Table<'py, T> = Bound<'py, PyArray2<T>>;
type Column<'py, T> = Bound<'py, PyArray1<T>>;
type Rows<'py, T> = PyReadonlyArray2<'py, T>;
type Values<'py, T> = PyReadonlyArray1<'py, T>;

#[pyfunction]
#[pyo3(signature = (xyz, radius, progress=None))]
pub fn neighbour_pairs<'py>(
    py: Python<'py>,
    xyz: Rows<'py, f64>,
    radius: f64,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Table<'py, i32>, Column<'py, f64>)> {
    let points = rows("xyz", &xyz)?;
    let found = enter_reporting(py, progress, |control| graph::neighbour_pairs(&points, radius, control))?;
    Ok((
        Array2::from(found.pairs).into_pyarray(py),
        found.distances.into_pyarray(py),
    ))
}

#[pyfunction]
pub fn nearest<'py>(
    py: Python<'py>,
    xyz: Rows<'py, f64>,
    query: Rows<'py, f64>,
    k: usize,
) -> PyResult<(Table<'py, i32>, Table<'py, f64>)> {
    let (points, queries) = (rows("xyz", &xyz)?, rows("query", &query)?);
    let found = enter(py, |control| graph::nearest(&points, &queries, k, control))?;
    let shape = (queries.len(), k);
    let odd = |_| InputError::new_err("more neighbours than an array can hold");
    let indices = Array2::from_shape_vec(shape, found.indices).map_err(odd)?;
    let distances = Array2::from_shape_vec(shape, found.distances).map_err(odd)?;
    Ok((indices.into_pyarray(py), distances.into_pyarray(py)))
}

#[pyfunction]
pub fn contact_edges<'py>(
    py: Python<'py>,
    voxels_zyx: Rows<'py, i32>,
    owner: Values<'py, i32>,
    shape_zyx: [usize; 3],
) -> PyResult<Table<'py, i32>> {
    let (voxels, owner) = (rows("voxels_zyx", &voxels_zyx)?, column(&owner));
    let edges = enter(py, |control| graph::contact_edges(&voxels, &owner, shape_zyx, control))?;
    Ok(Array2::from(edges).into_pyarray(py))
}

#[pyfunction]
pub fn connected_components<'py>(py: Python<'py>, n: usize, edges: Rows<'py, i32>) -> PyResult<Column<'py, i32>> {
    let edges = rows("edges", &edges)?;
    let labels = enter(py, |control| graph::connected_components(n, &edges, control))?;
    Ok(labels.into_pyarray(py))
}

#[pyfunction]
pub fn minimum_spanning_tree<'py>(
    py: Python<'py>,
    n: usize,
    edges: Rows<'py, i32>,
    weights: Values<'py, f64>,
) -> PyResult<Column<'py, i32>> {
    let (edges, weights) = (rows("edges", &edges)?, column(&weights));
    let tree = enter(py, |control| graph::minimum_spanning_tree(n, &edges, &weights, control))?;
    Ok(tree.into_pyarray(py))
}

#[pyfunction]
#[pyo3(signature = (xyz, edges, weights, radius, progress=None))]
pub fn local_spanning_edges<'py>(
    py: Python<'py>,
    xyz: Rows<'py, f64>,
    edges: Rows<'py, i32>,
    weights: Values<'py, f64>,
    radius: f64,
    progress: Option<Py<PyAny>>,
) -> PyResult<Column<'py, i32>> {
    let (points, edges, weights) = (rows("xyz", &xyz)?, rows("edges", &edges)?, column(&weights));
    let found = enter_reporting(py, progress, |control| {
        graph::local_spanning_edges(&points, &edges, &weights, radius, control)
    })?;
    Ok(found.into_pyarray(py))
}

#[pyfunction]
pub fn longest_path<'py>(
    py: Python<'py>,
    n: usize,
    edges: Rows<'py, i32>,
    weights: Values<'py, f64>,
) -> PyResult<(Column<'py, i32>, f64)> {
    let (edges, weights) = (rows("edges", &edges)?, column(&weights));
    let (path, length) = enter(py, |control| graph::longest_path(n, &edges, &weights, control))?;
    Ok((path.into_pyarray(py), length))
}

/// As Python hands them over: (rounds, neighbours, tabu, stretch, trajectories, similarity, seed).
type Settings = (usize, usize, usize, f64, usize, f64, u64);

type Found<'py> = (Column<'py, i32>, f64, Vec<Column<'py, i32>>);

#[pyfunction]
#[pyo3(signature = (n, edges, lengths, scores, start, frozen, settings, progress=None))]
#[allow(clippy::too_many_arguments)]
pub fn tabu_trees<'py>(
    py: Python<'py>,
    n: usize,
    edges: Rows<'py, i32>,
    lengths: Values<'py, f64>,
    scores: Values<'py, f64>,
    start: Values<'py, i32>,
    frozen: Values<'py, bool>,
    settings: Settings,
    progress: Option<Py<PyAny>>,
) -> PyResult<Vec<Found<'py>>> {
    let (edges, lengths, scores) = (rows("edges", &edges)?, column(&lengths), column(&scores));
    let (start, frozen) = (column(&start), column(&frozen));
    let (edges, lengths, scores, start, frozen) = (&*edges, &*lengths, &*scores, &*start, &*frozen);
    let candidates = Candidates {
        nodes: n,
        edges,
        lengths,
        scores,
        start,
        frozen,
    };
    let (rounds, neighbours, tabu, stretch, trajectories, similarity, seed) = settings;
    let search = Search {
        rounds,
        neighbours,
        tabu,
        stretch,
        trajectories,
        similarity,
        seed,
    };
    let found = enter_reporting(py, progress, |control| graph::tabu_trees(candidates, search, control))?;
    let branches = |branches: Vec<Vec<i32>>| branches.into_iter().map(|nodes| nodes.into_pyarray(py)).collect();
    Ok(found
        .into_iter()
        .map(|t| (t.edges.into_pyarray(py), t.score, branches(t.branches)))
        .collect())
}

#[pyfunction]
pub fn skeleton<'py>(
    py: Python<'py>,
    n: usize,
    edges: Rows<'py, i32>,
    lengths: Values<'py, f64>,
    shortest: f64,
) -> PyResult<Vec<Column<'py, i32>>> {
    let (edges, lengths) = (rows("edges", &edges)?, column(&lengths));
    let paths = enter(py, |control| graph::skeleton(n, &edges, &lengths, shortest, control))?;
    Ok(paths.into_iter().map(|path| path.into_pyarray(py)).collect())
}

#[pyfunction]
pub fn order_segments<'py>(
    py: Python<'py>,
    join: Values<'py, f64>,
    skip: Values<'py, f64>,
    settings: (usize, usize, f64, f64, u64),
    progress: Option<Py<PyAny>>,
) -> PyResult<Vec<(f64, Column<'py, u32>)>> {
    let (join, skip) = (column(&join), column(&skip));
    let (restarts, steps, hot, cold, seed) = settings;
    let search = Annealing {
        restarts,
        steps,
        hot,
        cold,
        seed,
    };
    let found = enter_reporting(py, progress, |control| {
        graph::order_segments(&join, &skip, search, control)
    })?;
    Ok(found
        .into_iter()
        .map(|order| (order.cost, order.entries.into_pyarray(py)))
        .collect())
}

#[pyfunction]
#[pyo3(signature = (values, voxel_xyz, origin_xyz, xyz, pairs, fractions, progress=None))]
#[allow(clippy::too_many_arguments)]
pub fn along_bonds<'py>(
    py: Python<'py>,
    values: PyReadonlyArray3<'py, f32>,
    voxel_xyz: Triple,
    origin_xyz: Triple,
    xyz: Rows<'py, f64>,
    pairs: Rows<'py, i32>,
    fractions: Vec<f64>,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Column<'py, f32>, Column<'py, f32>)> {
    let (map, points, pairs) = (values.as_array(), rows("xyz", &xyz)?, rows("pairs", &pairs)?);
    let found = enter_reporting(py, progress, |control| {
        let frame = frame(map.dim(), voxel_xyz, origin_xyz)?;
        graph::along_bonds(map, &frame, &points, &pairs, &fractions, control)
    })?;
    Ok((found.least.into_pyarray(py), found.mean.into_pyarray(py)))
}

#[pyfunction]
#[pyo3(signature = (carbon, nitrogen, voxel_xyz, origin_xyz, xyz, pairs, fractions, floor, progress=None))]
#[allow(clippy::too_many_arguments)]
pub fn direction_odds<'py>(
    py: Python<'py>,
    carbon: PyReadonlyArray3<'py, f32>,
    nitrogen: PyReadonlyArray3<'py, f32>,
    voxel_xyz: Triple,
    origin_xyz: Triple,
    xyz: Rows<'py, f64>,
    pairs: Rows<'py, i32>,
    fractions: (f64, f64),
    floor: f64,
    progress: Option<Py<PyAny>>,
) -> PyResult<Column<'py, f32>> {
    let (points, pairs) = (rows("xyz", &xyz)?, rows("pairs", &pairs)?);
    let maps = [carbon.as_array(), nitrogen.as_array()];
    let odds = enter_reporting(py, progress, |control| {
        let frame = frame(maps[0].dim(), voxel_xyz, origin_xyz)?;
        graph::direction_odds(maps, &frame, &points, &pairs, fractions.into(), floor, control)
    })?;
    Ok(odds.into_pyarray(py))
}

#[pyfunction]
#[pyo3(signature = (edges, costs, task, start, settings, progress=None))]
pub fn find_routes<'py>(
    py: Python<'py>,
    edges: Rows<'py, i32>,
    costs: Values<'py, f64>,
    task: (usize, usize, f64, f64),
    start: Vec<Vec<u32>>,
    settings: (usize, usize, f64, f64, u64),
    progress: Option<Py<PyAny>>,
) -> PyResult<Vec<(f64, Vec<Column<'py, u32>>)>> {
    let (edges, costs) = (rows("edges", &edges)?, column(&costs));
    let (nodes, vehicles, drop, apart) = task;
    let task = Task {
        nodes,
        edges: &edges,
        costs: &costs,
        vehicles,
        drop,
        apart,
    };
    let (restarts, steps, hot, cold, seed) = settings;
    let search = Annealing {
        restarts,
        steps,
        hot,
        cold,
        seed,
    };
    let found = enter_reporting(py, progress, |control| {
        graph::find_routes(task, &start, search, control)
    })?;
    let columns = |routes: Vec<Vec<u32>>| routes.into_iter().map(|route| route.into_pyarray(py)).collect();
    Ok(found.into_iter().map(|one| (one.cost, columns(one.routes))).collect())
}
