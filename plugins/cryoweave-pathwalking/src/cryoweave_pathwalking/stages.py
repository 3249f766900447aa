"""What the plugin hands over. Nothing here does work: each stage names its function."""

from importlib.resources import files

from cryoweave.data import DensityMap, PointCloud, SequenceSet, Traces
from cryoweave.host import Kind, Params, Recipe, Stage, hookimpl, param

BAKER = "10.1016/j.str.2012.01.008"
PROGRAM = f"Baker et al. 2012, doi {BAKER}, and its program"


class PointsParams(Params):
    """Parameters of ``pathwalking.points``."""

    threshold: float | None = param(
        None, "density above which there is molecule; the mean and one deviation if not given", unit="map",
        source=PROGRAM,
    )  # fmt: skip
    atoms: int | None = param(None, "pseudo-atoms; as many as residues in the sequences if not given", ge=2, le=100_000)
    apart: float = param(1.0, "least distance between two pseudo-atoms", unit="Å", ge=0, le=5, source=PROGRAM)
    rounds: int = param(60, "rounds of k-means at most", ge=1, le=10_000)


class TraceParams(Params):
    """Parameters of ``pathwalking.trace``."""

    average: float = param(3.78, "length of a bond that costs nothing", unit="Å", ge=1, le=20, source=PROGRAM)
    shortest: float = param(2.0, "below this the cost is squared", unit="Å", ge=0, le=20, source=PROGRAM)
    longest: float = param(10.0, "beyond this the cost is squared", unit="Å", gt=0, le=20, source=PROGRAM)
    threshold: float | None = param(
        None, "density along a bond below which its cost is doubled; that of the pseudo-atoms if not given", unit="map",
        source=PROGRAM,
    )  # fmt: skip
    weight: float = param(1000.0, "weight of the density along a bond", ge=0, le=1e6, source=PROGRAM)
    subunits: int = param(1, "paths: chains in the map", ge=1, le=1000)
    effort: int = param(20_000, "changes that the search tries, for each pseudo-atom", ge=1, le=10_000_000)
    restarts: int = param(4, "searches, of which the best counts", ge=1, le=1000)


STAGES = [
    Stage(
        id="pathwalking.points",
        kind=Kind.DETECT,
        summary="pseudo-atoms: as many centres as there are residues, by k-means weighted with the density",
        load="cryoweave_pathwalking.points:pseudo_atoms",
        takes={"density": DensityMap, "sequences": SequenceSet},
        gives=PointCloud,
        optional=("sequences",),
        params=PointsParams,
        check="cryoweave_pathwalking.points:check",
        version=2,
        cites=(BAKER,),
    ),
    Stage(
        id="pathwalking.trace",
        kind=Kind.TRACE,
        summary="the shortest path through all pseudo-atoms by bond lengths and density, without direction",
        load="cryoweave_pathwalking.walk:walked",
        takes={"density": DensityMap, "points": PointCloud},
        gives=Traces,
        params=TraceParams,
        cites=(BAKER,),
    ),
]


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """Pseudo-atoms and paths."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """The method as a whole."""
    name = "pathwalking.toml"
    return [Recipe.from_toml((files("cryoweave_pathwalking") / "recipes" / name).read_text("utf-8"), name)]
