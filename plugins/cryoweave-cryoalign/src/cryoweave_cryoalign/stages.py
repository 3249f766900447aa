"""What the plugin hands over. Nothing here does work: each stage names its function."""

from importlib.resources import files
from typing import Literal

from cryoweave.data import DensityMap, Metric, ModelSet, Poses
from cryoweave.host import Kind, Params, Recipe, Stage, hookimpl, param

DOI = "10.1038/s41467-024-45861-4"
SOURCE = "the published program's; He et al. 2024, doi 10.1038/s41467-024-45861-4"


class AlignParams(Params):
    """Parameters of ``cryoalign.align``."""

    resolution: float = param(8.0, "of the map; the models' maps are made at it", unit="Å", ge=2, le=40)
    contour: float | None = param(
        None, "density above which the map is molecule; mean + 2 standard deviations if absent", unit="map"
    )
    search: Literal["triples", "masks", "whole"] = param(
        "triples",
        "triples: many motions, each by three correspondences, judged in a field of vectors (ours); masks: one motion "
        "in each of many spheres, whole: one motion in all (as published)",
    )
    top: int = param(10, "poses to keep of each model", ge=1, le=1000, source=SOURCE)
    apart: float = param(5.0, "of two poses whose atoms differ by less (RMSD) the better stays", unit="Å", ge=0, le=50)
    keypoint_bandwidth: float = param(
        6.0, "of the mean shift that finds keypoints; a larger one finds fewer", unit="Å", ge=1, le=40
    )
    voxel: float = param(5.0, "masks, whole: spacing of the sampled points", unit="Å", ge=1, le=20, source=SOURCE)
    bandwidth: float = param(
        16.0, "masks, whole: of the kernel of the points' directions", unit="Å", ge=2, le=60, source=SOURCE
    )
    radius: float = param(7.0, "masks, whole: radius of a descriptor over `voxel`", ge=1, le=20, source=SOURCE)
    noise: float = param(
        1.0, "masks, whole: how far a correspondence may be off, over `voxel`", gt=0, le=5, source=SOURCE
    )
    within: float = param(
        10.0, "masks, whole: a point is matched if another is as near as this", unit="Å", gt=0, le=50, source=SOURCE
    )
    cosine: float = param(0.6, "directions agree if their cosine is at least this", ge=-1, le=1, source=SOURCE)
    least_matched: float = param(
        0.1, "masks, whole: a pose that matches a smaller share has the score 0", ge=0, le=1, source=SOURCE
    )
    fine_voxel: float = param(3.0, "triples: spacing of the sampled points", unit="Å", ge=0.5, le=20)
    fine_bandwidth: float = param(6.0, "triples: of the kernel of the points' directions", unit="Å", ge=1, le=60)
    fine_radius: float = param(20.0, "triples: radius of a descriptor", unit="Å", ge=4, le=100)
    fine_noise: float = param(2.5, "triples: how far a correspondence may be off", unit="Å", gt=0, le=20)
    neighbours: int = param(20, "triples: a correspondence is each among so many nearest of the other", ge=1, le=100)
    guesses: int = param(100_000, "triples: most motions to judge", ge=100, le=10_000_000)
    refined: int = param(100, "triples: distinct motions that are refined", ge=1, le=10_000)


MEASURES = {
    "agreeing": Metric("agreement of the directions of matched points", "", True),
    "matched": Metric("points of the model that have one of the map near them", "", True),
    "correspondences": Metric("pairs of points of model and map that agree on this pose", "", True),
    "cosine": Metric("mean cosine between directions of model and map", "", True),
}

STAGES = [
    Stage(
        id="cryoalign.align",
        kind=Kind.FIT,
        summary="models placed by keypoints, SHOT descriptors and what their correspondences agree on",
        load="cryoweave_cryoalign.align:aligned",
        takes={"density": DensityMap, "models": ModelSet},
        gives=Poses,
        params=AlignParams,
        measures=MEASURES,
        cites=(DOI,),
    )
]


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """Alignment."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """Alignment alone."""
    name = "cryoalign.toml"
    return [Recipe.from_toml((files("cryoweave_cryoalign") / "recipes" / name).read_text("utf-8"), name)]
