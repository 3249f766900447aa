"""Each model placed in the map, by one of three searches."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Model, ModelSet, Poses
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.rigid import distinct_poses
from cryoweave_cryoalign.clouds import Scene, of_map, of_model
from cryoweave_cryoalign.published import by_masks, by_whole
from cryoweave_cryoalign.stages import AlignParams
from cryoweave_cryoalign.triples import by_triples

SEARCHES = {"triples": by_triples, "masks": by_masks, "whole": by_whole}


def aligned(density: DensityMap, models: ModelSet, params: AlignParams, ctx: Context) -> Poses:
    """The best poses of each model, all sorted by score."""
    target = of_map(density, params.contour)
    ctx.note("contour", target.contour)
    return Poses.joined([_placed(target, model, name, params, ctx) for name, model in models])


def _placed(target: Scene, model: Model, name: str, params: AlignParams, ctx: Context) -> Poses:
    source = of_model(model, params.resolution)
    found = SEARCHES[params.search](source, target, params, ctx)
    if not len(found.score):
        hint = "lower `contour` or `keypoint_bandwidth` (a small or blurred model has few keypoints), or search=triples"
        raise StageError(f"no three correspondences agree on a place for {name!r}", hint)
    most = max(params.top, params.refined)
    apart = distinct_poses(*found.motions, _few(model), rmsd=params.apart, most=most).first
    kept = found.select(apart).judged().select(np.arange(min(params.top, len(apart))))
    ctx.note(f"best score of {name}", float(kept.score[0]))
    names = np.full(len(kept.score), name)
    return Poses(kept.motions.rotation, kept.motions.translation, kept.score, names, kept.measures)


def _few(model: Model) -> NDArray[np.float64]:
    """Some atoms, spread over the model: enough to tell poses apart."""
    step = max(1, len(model) // 200)
    few: NDArray[np.float64] = model.xyz[::step]
    return few
