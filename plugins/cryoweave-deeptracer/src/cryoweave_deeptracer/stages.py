"""What the plugin hands over. Nothing here does work: each stage names its function."""

from importlib.resources import files

from cryoweave.data import BondGraph, PointCloud, SequenceSet, Threading, Traces
from cryoweave.host import Kind, Params, Recipe, Stage, hookimpl, param

DEEPTRACER = "10.1073/pnas.2017525118"
RECIPES = ("deeptracer", "deeptracer-plus")


class TraceParams(Params):
    """Parameters of ``deeptracer.trace``."""

    confidence: float = param(
        0.3, "least main-chain confidence along a bond within a chain; ignored without a map", ge=0, le=1
    )
    ideal: float = param(3.8, "length of a bond that costs least", unit="Å", ge=1, le=20)
    width: float = param(1.0, "how far from it a length may be", unit="Å", gt=0, le=10)
    fewest: int = param(3, "points of a chain or fragment that is kept", ge=1, le=1000)
    effort: int = param(5_000, "changes that the search tries, for each point", ge=1, le=10_000_000)
    restarts: int = param(16, "searches; what each finds is a candidate", ge=1, le=1000)


class AssignParams(Params):
    """Parameters of ``deeptracer.assign``."""

    base: float = param(0.3, "for placing a residue, beside its log-odds", ge=-10, le=10)
    gap_open: float = param(4.0, "for leaving out one residue between two placed ones", ge=0, le=100)
    gap_extend: float = param(0.5, "for each more", ge=0, le=100)
    distance: float = param(1.0, "for each Å between neighbours off 3.8 Å", unit="1/Å", ge=0, le=100)
    slack: float = param(3.0, "beyond 3.8 Å a residue, between pieces of a chain", unit="Å", ge=0, le=50)
    least: float = param(4.0, "least score of a piece that is placed", ge=0, le=1000)
    fewest: int = param(3, "residues of a piece that is placed", ge=1, le=1000)
    decoys: int = param(6, "shuffled sequences that tell what fits by chance", ge=2, le=1000)
    tries: int = param(4, "orders of pieces that are tried; the first is by score alone", ge=1, le=10_000)
    fill: int = param(3, "residues without a point between two placed ones that are put on the line", ge=0, le=20)


STAGES = [
    Stage(
        id="deeptracer.trace",
        kind=Kind.TRACE,
        summary="chains by connected main-chain confidence, each the path of a travelling salesman through its points",
        load="cryoweave_deeptracer.trace:traced",
        takes={"bonds": BondGraph},
        gives=Traces,
        params=TraceParams,
        cites=(DEEPTRACER,),
    ),
    Stage(
        id="deeptracer.assign",
        kind=Kind.THREAD,
        summary="detected amino acids along traces aligned with all sequences: the best piece first, then what is left",
        load="cryoweave_deeptracer.assign:assigned",
        takes={"points": PointCloud, "traces": Traces, "sequences": SequenceSet},
        version=2,
        gives=Threading,
        params=AssignParams,
        check="cryoweave_deeptracer.assign:check",
        cites=(DEEPTRACER,),
    ),
]


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """Tracing and assignment."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """The method behind our detector, as published and with our routing."""
    folder = files("cryoweave_deeptracer") / "recipes"
    return [Recipe.from_toml((folder / f"{name}.toml").read_text("utf-8"), f"{name}.toml") for name in RECIPES]
