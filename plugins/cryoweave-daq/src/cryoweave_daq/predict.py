"""Probabilities of amino acid, atom and secondary structure around a model."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Model, PointCloud
from cryoweave.errors import InputError, NotGivenError, StageError, UsageError
from cryoweave.host import Context
from cryoweave.kernels.grid import interpolate
from cryoweave.kernels.network_input import whole_angstroms
from cryoweave_daq.classes import CLASSES
from cryoweave_daq.imported import read_prediction
from cryoweave_daq.predictors import load_predictor
from cryoweave_daq.prepare import Scene, chosen_atoms
from cryoweave_daq.stages import PredictParams


def predicted(density: DensityMap, model: Model | None, params: PredictParams, ctx: Context) -> PointCloud:
    """Points with their probabilities: imported, or predicted at points around the model (else in all the map)."""
    check(params)
    fine = whole_angstroms(density)
    if params.prediction is not None:
        xyz, found = read_prediction(params.prediction.expanduser(), fine.frame)
    else:
        xyz, found = _run_network(fine, model, params, ctx)
    ctx.note("points", len(xyz))
    weight = interpolate(density.values, density.frame, xyz)
    return PointCloud(xyz, weight, probabilities=found, classes=CLASSES)


def check(params: PredictParams, **_inputs: object) -> None:
    """Whether there is exactly one thing to predict with, and its file is there."""
    given = [path for path in (params.prediction, params.network) if path is not None]
    if not given:
        raise NotGivenError(
            "needs a prediction or a network",
            "give --daq-prediction FILE (prediction.txt, .npy) or --set daq.score.network=FILE (.onnx, .pth); in a "
            "recipe, the parameter prediction or network",
        )
    if len(given) > 1:
        raise UsageError("both a prediction and a network are given", "give one of them")
    if given[0].expanduser().is_dir():
        raise InputError(f"{given[0]} is a folder, not a file", "give the file in it")
    if not given[0].expanduser().is_file():
        raise InputError(f"there is no file {given[0]}", "check the path's spelling")


def _run_network(
    density: DensityMap, model: Model | None, params: PredictParams, ctx: Context
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    assert params.network is not None
    predictor = load_predictor(params.network.expanduser(), ctx.threads)
    atoms = None
    if model is not None:
        atoms = chosen_atoms(model, params.daq_compat).xyz
        if not len(atoms):
            raise StageError("the model has no atom of an amino acid", "is it a model of a protein?")
    scene = Scene(density, atoms, params.stride)
    n = len(scene.xyz)
    found = np.empty((n, len(CLASSES)), np.float32)
    for start in range(0, n, params.batch):
        ctx.progress(start, n)
        some = slice(start, start + params.batch)
        found[some] = predictor(scene.boxes(some, params.axis_order))
    ctx.progress(n, n)
    if not np.isfinite(found).all():
        raise StageError(f"the network {params.network} gives values that are not finite", "is the file whole?")
    return scene.xyz, found
