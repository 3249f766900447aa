"""What the plugin hands over. Nothing here does work: each stage names its function."""

from importlib.resources import files

from cryoweave.data import DensityMap, Model, ModelSet, Poses
from cryoweave.host import Check, Kind, Params, Recipe, Stage, hookimpl, param

DIFFMODELER = "10.1038/s41592-024-02479-0"
PUBLISHED = f"Wang et al. 2024, doi {DIFFMODELER}, and its program"
EMBUILD = "10.1038/s41467-022-31748-9"
DEMOEM2 = "10.1093/bib/bbae113"
SOLVER = "solver"


class ExactParams(Params):
    """Parameters of ``assemble.exact``."""

    resolution: float | None = param(None, "resolution of the map; must be given", unit="Å", ge=2, le=60)
    copies: int = param(1, "copies of each model to place at most", ge=1, le=1000)
    symmetry: str = param("C1", "Cn, Dn, T, O, I1, I2, or H<turn>,<rise>,<copies>: every placed model with its copies")
    poses: int = param(300, "poses of each sequence that are considered: those that explain most", ge=1, le=5000)
    clash: float = param(
        0.05, "share of a model's residues in a clash with another's above which both cost", ge=0, le=1,
        source=f"Wang et al. 2024, doi {DIFFMODELER}: 5 % of the residues",
    )  # fmt: skip
    forbidden: float = param(
        0.25,
        "share above which they exclude each other; poses of a coarse map are not exact enough for less",
        ge=0,
        le=1,
    )
    score_weight: float = param(
        0.25, "weight of a pose's own score, over its model's best, beside what it explains", ge=0, le=10
    )
    ambiguous: float = param(
        0.1, "a model is ambiguous if with another pose of it no more than this share of what it explains is lost",
        ge=0, le=1,
    )  # fmt: skip
    seconds: float = param(30.0, "limit of each solution, in the solver's own measure", unit="s", gt=0, le=3600)
    cycles: int = param(5, "rounds in which all placed models are refined against what the others leave", ge=0, le=100)


class DiffModelerParams(Params):
    """Parameters of ``diffmodeler.assemble``."""

    resolution: float | None = param(None, "resolution of the map; must be given", unit="Å", ge=2, le=60)
    detected: bool = param(False, "the map is a detector's, of main chains; else its curvature is taken")
    contour: float | None = param(
        None, "density above which there is molecule; the mean and one deviation if not given", unit="map"
    )
    copies: int = param(1, "copies of each model to place", ge=1, le=1000)
    angle_step: float = param(
        10.0, "largest angle between any rotation and one that is tried", unit="°", ge=2, le=60, source=PUBLISHED
    )
    refined: int = param(100, "poses of each chain that are refined", ge=1, le=5000, source=PUBLISHED)
    fast: bool = param(False, "points of one bandwidth (2 Å) instead of two (1 and 2 Å)")
    clash: float = param(
        0.05, "share of a chain's residues in a clash from which a pose is dropped", ge=0, le=1, source=PUBLISHED
    )


class EMBuildParams(Params):
    """Parameters of ``embuild.assemble``."""

    resolution: float | None = param(None, "resolution of the map; must be given", unit="Å", ge=2, le=60)
    detected: bool = param(False, "the map is a detector's, of main chains; else its curvature is taken")
    contour: float | None = param(
        None, "density above which a chain's middle may lie; the mean and one deviation if not given", unit="map"
    )
    copies: int = param(1, "copies of each model to place", ge=1, le=1000)
    angle_step: float = param(10.0, "largest angle between any rotation and one that is tried", unit="°", ge=2, le=60)
    refined: int = param(200, "places of each chain that are refined", ge=1, le=5000)
    poses: int = param(40, "poses of each chain to choose from", ge=1, le=1000)
    domain: int = param(80, "fewest residues of a domain; 0 for rigid chains", ge=0, le=5000)
    bend: float = param(5.0, "farthest that a domain may move from its chain's pose", unit="Å", ge=0, le=50)
    clash: float = param(0.1, "share of residues in a clash from which two poses exclude each other", ge=0, le=1)
    sure: float = param(0.7, "share of a cycle's best score that a pose needs to be kept in it", ge=0, le=1)
    cycles: int = param(4, "cycles of fitting and choosing; the last keeps all that it chose", ge=1, le=100)
    seconds: float = param(30.0, "limit of each choice, in the solver's own measure", unit="s", gt=0, le=3600)


class DemoParams(Params):
    """Parameters of ``demoem2.assemble``."""

    resolution: float | None = param(None, "resolution of the map; must be given", unit="Å", ge=2, le=60)
    contour: float | None = param(
        None, "density in which chains start; the mean and one deviation if not given", unit="map"
    )
    copies: int = param(1, "copies of each model to place", ge=1, le=1000)
    starts: int = param(3000, "starts of each chain, each the best of ten random poses", ge=1, le=100_000)
    poses: int = param(
        5, "poses of each chain to combine, from the whole map and again from what others leave", ge=1, le=1000,
        source=f"Zhang et al. 2024, doi {DEMOEM2}",
    )  # fmt: skip
    domain: int = param(80, "fewest residues of a domain; 0 for rigid chains", ge=0, le=5000)
    bend: float = param(5.0, "farthest that a domain may move from its chain's pose", unit="Å", ge=0, le=50)
    clash_weight: float = param(1.0, "energy of a residue in a clash, over that of a perfect fit", ge=0, le=100)
    seconds: float = param(30.0, "limit of the choice, in the solver's own measure", unit="s", gt=0, le=3600)
    cycles: int = param(5, "rounds in which all domains are refined against what the others leave", ge=0, le=100)


STAGES = [
    Stage(
        id="assemble.exact",
        kind=Kind.ASSEMBLE,
        summary="the set of poses of all models that explains most of the map without clashes, by CP-SAT",
        load="cryoweave_assembly.exact:exact",
        takes={"density": DensityMap, "models": ModelSet, "poses": Poses},
        gives=Model,
        params=ExactParams,
        needs=(SOLVER,),
        check="cryoweave_assembly.inputs:check",
    ),
    Stage(
        id="diffmodeler.assemble",
        kind=Kind.ASSEMBLE,
        summary="chains on the dense points of a map, the best first, each masked away before the next",
        load="cryoweave_assembly.diffmodeler:assembled",
        takes={"density": DensityMap, "models": ModelSet},
        gives=Model,
        params=DiffModelerParams,
        cites=(DIFFMODELER,),
        check="cryoweave_assembly.diffmodeler:check",
    ),
    Stage(
        id="embuild.assemble",
        kind=Kind.ASSEMBLE,
        summary="chains fitted to the main-chain map, bent at their domains; the heaviest compatible set, by cycles",
        load="cryoweave_assembly.embuild:assembled",
        takes={"density": DensityMap, "models": ModelSet},
        gives=Model,
        params=EMBuildParams,
        needs=(SOLVER,),
        cites=(EMBUILD,),
        check="cryoweave_assembly.inputs:check_builder",
    ),
    Stage(
        id="demoem2.assemble",
        kind=Kind.ASSEMBLE,
        summary="chains and domains fitted from many starts by quasi-Newton steps, the best combination refined",
        load="cryoweave_assembly.demoem2:assembled",
        takes={"density": DensityMap, "models": ModelSet},
        gives=Model,
        params=DemoParams,
        needs=(SOLVER,),
        cites=(DEMOEM2,),
        check="cryoweave_assembly.inputs:check_builder",
    ),
]
RECIPES = ("assembly", "diffmodeler", "diffmodeler-chains", "embuild", "embuild-chains", "demo-em2")


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """Assembly."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """Complexes from their chains."""
    folder = files("cryoweave_assembly") / "recipes"
    return [Recipe.from_toml((folder / f"{name}.toml").read_text("utf-8"), f"{name}.toml") for name in RECIPES]


@hookimpl
def cryoweave_checks() -> list[Check]:
    """The solver."""
    return [Check(SOLVER, "OR-Tools, whose CP-SAT chooses poses", "cryoweave.host.solver:check_solver")]
