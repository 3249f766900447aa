"""Cα candidates with amino acids from density alone: what tracers that need a detector get without a network."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, PointCloud, Traces
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.backbone import CA, BackboneRefiner
from cryoweave.kernels.evidence import LETTERS
from cryoweave.kernels.graph import neighbour_pairs
from cryoweave.kernels.peaks import merge_points
from cryoweave_mainmast.contrast import require_contrast
from cryoweave_mainmast.helix import resampled
from cryoweave_mainmast.refined import BOND
from cryoweave_mainmast.sidechain import REFINED, SideChainSampler, side_chain_table
from cryoweave_mainmast.stages import DensityPointsParams

AGREE = 1.0
"""Å within which two paths agree on a Cα."""
SHORTEST = 5
"""Nodes of a path below which it says nothing."""
Seen = tuple[NDArray[np.float64], NDArray[np.float64]]


def points(density: DensityMap, traces: Traces, params: DensityPointsParams, ctx: Context) -> PointCloud:
    """Cα of backbones along the best candidates' paths in both directions, where these agree joined to one.

    Weight: share of the paths that have a Cα there. Amino acids: by the density where their side chains would be.
    """
    if not len(traces):
        raise StageError("there are no paths to look along", "look at the steps before")
    require_contrast(density, traces.xyz, "nodes")
    refiner, sampler = BackboneRefiner(density.values, density.frame), SideChainSampler(density)
    candidates = sorted(traces.candidates(), key=lambda one: -float(traces.score[one[1][0]]))[: params.candidates]
    tasks = [(fragments, back) for _, fragments in candidates for back in (False, True)]

    def work(task: tuple[list[int], bool], inner: Context) -> Seen | None:
        fragments, back = task
        paths = [traces.xyz[traces.points_of(fragment)] for fragment in fragments]
        pieces = [resampled(path[::-1] if back else path, BOND) for path in paths if len(path) >= SHORTEST]
        if not pieces:
            return None
        bonded = np.concatenate([np.arange(len(piece)) > 0 for piece in pieces])[1:]
        backbone = refiner.refine(np.concatenate(pieces), bonded, progress=inner.progress).xyz
        return backbone[:, CA], side_chain_table(REFINED).log_odds(sampler.along_backbone(backbone))

    found = [one for one in ctx.over(work, tasks) if one is not None]
    if not found:
        raise StageError(f"no path has {SHORTEST} nodes", "lower the contour of the paths")
    cloud = joined(found, params)
    ctx.note("points", len(cloud))
    return cloud


def joined(found: list[Seen], params: DensityPointsParams) -> PointCloud:
    """One point for all Cα that lie together, those that most paths agree on first."""
    xyz, odds = (np.concatenate(column) for column in zip(*found, strict=True))
    raised = np.exp(params.sharpness * (odds - odds.max(axis=1, keepdims=True)))
    share = raised / raised.sum(axis=1, keepdims=True)
    pairs, _ = neighbour_pairs(xyz, AGREE)
    votes = 1 + np.bincount(pairs.ravel(), minlength=len(xyz))
    _, owner = merge_points(xyz, votes, params.merge)
    count = np.bincount(owner)

    def mean(columns: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([np.bincount(owner, column) / count for column in columns.T], axis=1)

    names = {letter: name for name, letter in AMINO_ACIDS.items()}
    return PointCloud(
        xyz=mean(xyz),
        weight=np.minimum(count / len(found), 1).astype(np.float32),
        probabilities=mean(share).astype(np.float32),
        classes=tuple(names[letter] for letter in LETTERS),
    )
