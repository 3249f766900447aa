"""Inputs for any stage, made from one ideal model: what the contract is held against where nobody gave any."""

from collections.abc import Callable
from typing import Any

import numpy as np

from cryoweave.data import (
    BondGraph,
    DensityMap,
    Metric,
    Model,
    ModelSet,
    PointCloud,
    Poses,
    ProbabilityMaps,
    ScoreTable,
    SequenceSet,
    Threading,
    Traces,
)
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.host import Params, Stage
from cryoweave.testing import ideal_model, perfect_maps, sequences_of, simulated_map

RESOLUTION = 3.0
"""Å, of the map."""
NOISE = 0.02
"""Of half maps, as a share of the highest density."""
ATOMS = ("backbone", "CA", "C", "N", "O", "CB")
"""Classes of the probability maps besides amino acids."""
SURE, ELSE = 0.81, 0.01
"""Probability of a point's own amino acid and of each other one."""


def missing_makers(stage: Stage) -> list[str]:
    """Inputs that a stage must have and that cannot be made: values of types of the plugin's own."""
    return [name for name, kind in stage.takes.items() if kind not in _MAKERS and name not in stage.optional]


def made_inputs(stage: Stage) -> dict[str, Any]:
    """A value for each of its inputs, made anew, the same at every call; all of one molecule in one frame.

    Optional inputs of types that cannot be made are left out.
    """
    model = ideal_model()
    found: dict[str, Any] = {}
    for seed, (name, kind) in enumerate(stage.takes.items()):
        if kind is DensityMap and name.startswith("half"):
            found[name] = simulated_map(model, resolution=RESOLUTION, noise=NOISE, seed=seed)
        elif kind in _MAKERS:
            found[name] = _MAKERS[kind](model)
    return found


def made_params(stage: Stage) -> Params:
    """The defaults; but where a stage wants to be told the map's resolution, that of the made map."""
    field = stage.params.model_fields.get("resolution")
    told = {"resolution": RESOLUTION} if field is not None and field.default is None else {}
    return stage.params(**told)


def _maps(model: Model) -> ProbabilityMaps:
    return perfect_maps(model, _density(model).frame, (*ATOMS, *AMINO_ACIDS))


def _density(model: Model) -> DensityMap:
    return simulated_map(model, resolution=RESOLUTION)


def _points(model: Model) -> PointCloud:
    trace = model.trace_atoms()
    classes = tuple(AMINO_ACIDS)
    own = np.array([[name == one for one in classes] for name in trace.residue_name.tolist()])
    probability = np.where(own, SURE, ELSE).astype(np.float32)
    return PointCloud(trace.xyz, np.ones(len(trace), np.float32), _pairs(len(trace)), probability, classes)


def _pairs(count: int) -> Any:
    return np.stack([np.arange(count - 1), np.arange(1, count)], axis=1).astype(np.int32)


def _bonds(model: Model) -> BondGraph:
    points = _points(model)
    length = np.linalg.norm(np.diff(points.xyz, axis=0), axis=1)
    one = np.ones(len(length), np.float32)
    return BondGraph(points, _pairs(len(points)), length, one, one, one)


def _traces(model: Model) -> Traces:
    points = _points(model)
    none = np.zeros(len(points), np.int32)
    return Traces(points.xyz, points.weight, none, np.zeros(1, np.int32), np.array([float(len(points))]))


def _threading(model: Model) -> Threading:
    trace = model.trace_atoms()
    n = len(trace)
    none = np.zeros(n, np.int32)
    sure = np.full(n, 0.9, np.float32)
    number = np.arange(n, dtype=np.int32)
    return Threading(sequences_of(model), none, none, number, trace.xyz, sure, np.ones(1), ("made for a check",))


def _models(model: Model) -> ModelSet:
    return ModelSet(("model",), (model,))


def _poses(_model: Model) -> Poses:
    return Poses(np.eye(3)[None], np.zeros((1, 3)), np.ones(1), np.array(["model"]))


def _scores(model: Model) -> ScoreTable:
    trace = model.trace_atoms()
    number = np.arange(len(trace), dtype=np.float64)
    identity = (trace.chain, trace.residue_number, trace.insertion_code, trace.residue_name)
    return ScoreTable(*identity, {"made": number}, {"made": 1.0}, {"made": Metric("a score made for a check")})


_MAKERS: dict[type, Callable[[Model], Any]] = {
    DensityMap: _density,
    ProbabilityMaps: _maps,
    PointCloud: _points,
    BondGraph: _bonds,
    Traces: _traces,
    SequenceSet: sequences_of,
    Threading: _threading,
    Model: lambda model: model,
    ModelSet: _models,
    Poses: _poses,
    ScoreTable: _scores,
}
