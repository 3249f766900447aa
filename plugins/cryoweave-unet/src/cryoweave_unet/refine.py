"""Cα candidates looked at together: which are real, where they belong and what they are."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import PointCloud, ProbabilityMaps
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.candidates import apart
from cryoweave_unet.classes import AMINO
from cryoweave_unet.graphs import graph_of
from cryoweave_unet.infer import softmax
from cryoweave_unet.stages import RefineParams
from cryoweave_unet.weights import load_network

LONGEST = 3.0
"""Å: no candidate moves farther, as none farther from its Cα was ever learned from."""


def refined(maps: ProbabilityMaps, points: PointCloud, params: RefineParams, ctx: Context) -> PointCloud:
    """The real candidates at their places, the likeliest first; weight: probability that there is a Cα."""
    network, name = load_network(params.network, ctx, "refine")
    graph = graph_of(maps, points)
    inputs = {"node": graph.node, "edge": graph.edge, "step": graph.step}
    logits, move = network.run({**inputs, "neighbour": graph.neighbour.astype(np.float32)}, lambda: ctx.progress(0, 0))
    there = 1 / (1 + np.exp(-logits[:, 0]))
    xyz = points.xyz + shortened(move)
    order = np.argsort(-there, kind="stable")
    order = order[there[order] >= params.threshold]
    if not len(order):
        raise StageError("no candidate is real", "lower the threshold")
    order = order[apart(xyz[order], params.apart)]
    kept = [name for name in points.classes if name not in AMINO]
    others = points.probabilities[order][:, [points.classes.index(name) for name in kept]]
    amino = softmax(logits[order, 1:].T).T
    ctx.note("network", name)
    ctx.note("points", len(order))
    return PointCloud(
        xyz[order],
        there[order].astype(np.float32),
        probabilities=np.concatenate((others, amino), axis=1),
        classes=(*kept, *AMINO),
    )


def shortened(move: NDArray[np.float32]) -> NDArray[np.float64]:
    """Moves of at most ``LONGEST`` Å."""
    length = np.linalg.norm(move, axis=1, keepdims=True)
    return np.asarray(move * np.minimum(1, LONGEST / np.maximum(length, 1e-6)), np.float64)


def check(params: RefineParams, **_inputs: object) -> None:
    """Whether the network can be loaded."""
    load_network(params.network, Context(), "refine")
