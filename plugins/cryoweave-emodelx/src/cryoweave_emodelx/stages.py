"""What the plugin hands over. Nothing here does work: each stage names its function."""

from importlib.resources import files
from typing import Literal

from cryoweave.data import (
    BondGraph,
    ModelSet,
    PointCloud,
    Poses,
    ProbabilityMaps,
    SequenceSet,
    Threading,
    Traces,
)
from cryoweave.host import Kind, Params, Recipe, Stage, hookimpl, param

EMODELX = "10.1038/s41467-024-53116-5"
SOURCE = f"Chen et al. 2024, doi {EMODELX}, and its program"
RECIPES = ("emodelx", "emodelx-plus", "emodelx-predicted")


class PointsParams(Params):
    """Parameters of ``emodelx.points``."""

    threshold: float = param(0.35, "least probability of a Cα voxel", ge=0, le=1, source=SOURCE)
    join: float = param(10.0, "voxels nearer than this are one cluster", unit="Å", gt=0, le=100, source=SOURCE)
    fewest: int = param(10, "voxels of a cluster that is kept", ge=1, le=1_000_000, source=SOURCE)
    backbone: float = param(
        0.5, "mean main-chain probability of a cluster, as a share of the best one's", ge=0, le=1, source=SOURCE
    )
    apart: float = param(3.0, "of two voxels nearer than this the likelier stays", unit="Å", ge=0, le=20, source=SOURCE)


class TraceParams(Params):
    """Parameters of ``emodelx.trace``."""

    least: float = param(0.5, "neighbour score of a bond that is kept", ge=0, le=1)
    fewest: int = param(5, "points of a trace that is kept", ge=2, le=1000, source=SOURCE)


class AlignParams(Params):
    """Parameters of ``emodelx.align``."""

    evidence: Literal["probability", "log-odds"] = param(
        "log-odds",
        "of amino acids: the detector's probabilities as published, or their log-odds against the mean of all points",
    )
    hops: tuple[int, ...] = param(
        (6, 8),
        "steps to each side whose amino acids count; of several numbers the one whose residues fit best by themselves; "
        f"{SOURCE}: 6",
    )
    branches: int = param(2, "best neighbours of each point that are gone to", ge=1, le=6, source=SOURCE)
    threshold: tuple[float, ...] = param(
        (4.0, 2.0), f"score above which a residue fits at a point, one round of stretches for each; {SOURCE}: 2"
    )
    bond: float = param(6.0, "cost of each bond, times what its neighbour score is below 1", ge=0, le=100)
    gap: int = param(3, "residues without a point within a stretch", ge=0, le=20, source=SOURCE)
    gap_open: float = param(10.0, "for the first residue left out", ge=0, le=1000)
    gap_extend: float = param(1.0, "for each more", ge=0, le=1000)
    slack: float = param(3.0, "beyond 3.8 Å a residue, between placed residues of a chain", unit="Å", ge=0, le=50)
    shortest: int = param(5, "residues of a stretch that is placed", ge=1, le=1000, source=SOURCE)
    longest: int = param(150, "residues of one stretch", ge=5, le=100_000, source=SOURCE)
    least: float = param(10.0, "score of a stretch that is placed", ge=0, le=10_000)
    connect: tuple[int, ...] = param(
        (5, 9), "gaps of so many residues at most are closed through free points, one round for each", source=SOURCE
    )
    decoys: int = param(6, "shuffled sequences that tell what fits by chance", ge=2, le=1000)


class CompleteParams(Params):
    """Parameters of ``emodelx.complete``."""

    identity: float = param(0.6, "of a model's chain to a given sequence at least", ge=0, le=1, source=SOURCE)
    anchors: int = param(12, "threaded residues that a part of a model is laid on", ge=4, le=1000)
    stride: int = param(2, "residues from one such stretch to the next", ge=1, le=1000)
    walks: int = param(3, "best poses from which one goes along the whole chain", ge=0, le=1000)
    rmsd: float = param(3.0, "of a part to these residues at most", unit="Å", gt=0, le=50)
    support: float = param(
        0.2,
        "of a part by detected points at least: nearness and name; random places reach 0.17 in 1 of 100",
        ge=0,
        le=1,
    )
    catch: float = param(2.5, "a residue goes to a free point at most so far away", unit="Å", gt=0, le=20)
    main_chain: float = param(0.1, "least main-chain probability at a filled residue, with maps", ge=0, le=1)


STAGES = [
    Stage(
        id="emodelx.points",
        kind=Kind.DETECT,
        summary="Cα candidates: clusters of likely voxels on the main chain, the likeliest 3 Å apart, centred",
        load="cryoweave_emodelx.points:candidates",
        takes={"maps": ProbabilityMaps},
        gives=PointCloud,
        params=PointsParams,
        cites=(EMODELX,),
    ),
    Stage(
        id="emodelx.trace",
        kind=Kind.TRACE,
        summary="traces without a sequence: the best bonds of which no point has more than two",
        load="cryoweave_emodelx.trace:traced",
        takes={"bonds": BondGraph},
        gives=Traces,
        params=TraceParams,
        cites=(EMODELX,),
    ),
    Stage(
        id="emodelx.align",
        kind=Kind.THREAD,
        summary="stretches of the sequences along sampled paths of points, the best first, short gaps joined",
        load="cryoweave_emodelx.align:aligned",
        takes={"bonds": BondGraph, "sequences": SequenceSet},
        version=2,
        gives=Threading,
        params=AlignParams,
        check="cryoweave_emodelx.align:check",
        cites=(EMODELX,),
    ),
    Stage(
        id="emodelx.complete",
        kind=Kind.THREAD,
        summary="parts of predicted models laid on threaded residues and detected points; gaps filled from them",
        load="cryoweave_emodelx.complete:completed",
        takes={
            "threading": Threading,
            "points": PointCloud,
            "models": ModelSet,
            "maps": ProbabilityMaps,
            "poses": Poses,
        },
        gives=Threading,
        optional=("maps", "poses"),
        params=CompleteParams,
        cites=(EMODELX,),
    ),
]


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """Points, alignment, traces without a sequence, completion."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """As published, with our evidence, and with predicted models."""
    folder = files("cryoweave_emodelx") / "recipes"
    return [Recipe.from_toml((folder / f"{name}.toml").read_text("utf-8"), f"{name}.toml") for name in RECIPES]
