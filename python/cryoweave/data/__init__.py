"""The shapes that all rooms agree on: frozen, checked when made, read-only."""

from cryoweave.data.bonds import BondGraph
from cryoweave.data.density import DensityMap, ProbabilityMaps
from cryoweave.data.frame import Frame
from cryoweave.data.model import Model
from cryoweave.data.models import ModelSet
from cryoweave.data.points import PointCloud
from cryoweave.data.poses import Poses
from cryoweave.data.scores import Curve, Metric, ScoreTable
from cryoweave.data.sequences import Sequence, SequenceSet
from cryoweave.data.threading import Threading
from cryoweave.data.traces import Traces

__all__ = [
    "BondGraph",
    "Curve",
    "DensityMap",
    "Frame",
    "Metric",
    "Model",
    "ModelSet",
    "PointCloud",
    "Poses",
    "ProbabilityMaps",
    "ScoreTable",
    "Sequence",
    "SequenceSet",
    "Threading",
    "Traces",
]
