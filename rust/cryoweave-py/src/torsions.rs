use cryoweave_core::torsions::{self, Planes};
use numpy::ndarray::Array1;
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyReadonlyArray2, PyReadonlyArray3, PyReadonlyArray4};
use pyo3::prelude::*;

use crate::arrays::{column, rows};
use crate::enter::{enter, enter_reporting};

#[pyfunction]
pub fn torsion_costs<'py>(
    py: Python<'py>,
    kinds: PyReadonlyArray1<'py, i32>,
    angles: PyReadonlyArray2<'py, f64>,
    table: PyReadonlyArray3<'py, f64>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let (kinds, angles, table) = (column(&kinds), rows("angles", &angles)?, table.as_array());
    let found = enter(py, |control| torsions::torsion_costs(&kinds, &angles, table, control))?;
    Ok(Array1::from(found).into_pyarray(py))
}

#[pyfunction]
#[allow(clippy::too_many_arguments)]
pub fn choose_planes<'py>(
    py: Python<'py>,
    calpha: PyReadonlyArray2<'py, f64>,
    bonded: PyReadonlyArray1<'py, bool>,
    planes: PyReadonlyArray4<'py, f64>,
    costs: PyReadonlyArray2<'py, f64>,
    kinds: PyReadonlyArray1<'py, i32>,
    table: PyReadonlyArray3<'py, f64>,
    angle: (f64, f64),
    progress: Option<Py<PyAny>>,
) -> PyResult<(Bound<'py, PyArray1<i32>>, f64)> {
    let (calpha, bonded, kinds) = (rows("calpha", &calpha)?, column(&bonded), column(&kinds));
    let (atoms, costs, table) = (planes.as_array(), costs.as_array(), table.as_array());
    let (turns, cost) = enter_reporting(py, progress, |control| {
        let planes = Planes {
            calpha: &calpha,
            bonded: &bonded,
            atoms,
            costs,
            kinds: &kinds,
            table,
            angle: angle.0,
            angle_stiffness: angle.1,
        };
        torsions::choose_planes(&planes, control)
    })?;
    Ok((Array1::from(turns).into_pyarray(py), cost))
}
