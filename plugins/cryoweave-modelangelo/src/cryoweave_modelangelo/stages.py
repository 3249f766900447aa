"""What the plugin hands over. Nothing here does work: each stage names its function."""

from importlib.resources import files
from pathlib import Path

from cryoweave.data import BondGraph, DensityMap, PointCloud, ProbabilityMaps, SequenceSet, Threading, Traces
from cryoweave.host import Check, Command, Kind, Params, Recipe, Stage, hookimpl, param
from cryoweave_modelangelo.classes import LEAST_BOX, STRIDE

DOI = "10.1038/s41586-024-07215-4"
SOURCE = f"the published program's configuration; Jamali et al. 2024, doi {DOI}"
PROGRAM = f"Jamali et al. 2024, doi {DOI}, and its program"
RECIPES = ("modelangelo", "modelangelo-unknown")


class MapsParams(Params):
    """Parameters of ``modelangelo.maps``."""

    network: Path | None = param(
        None, "c_alpha/chkpt.torch of the bundle `nucleotides`; looked for in the folder of weights if absent"
    )
    box: int | None = param(
        None,
        "edge of a box in voxels of about 1.5 Å; what the checkpoint says, else 64, if absent",
        ge=LEAST_BOX,
        le=256,
    )
    stride: int = param(STRIDE, "voxels from box to box; boxes overlap and are averaged", ge=4, le=256, source=SOURCE)
    batch: int = param(1, "boxes at a time; on a CPU at least one for each thread", ge=1, le=256)


class ChainsParams(Params):
    """Parameters of ``modelangelo.chains``."""

    least: float = param(
        0.05, "least worth of a bond: main chain along it times closeness to a peptide's length", ge=0, le=1
    )
    bend: float = param(65.0, "sharpest angle at a Cα between its neighbours", unit="degree", ge=0, le=180)
    double: float = param(
        0.5, "of two points closer than this the likelier one stays", unit="Å", ge=0, le=10, source=PROGRAM
    )
    fewest: int = param(4, "points of a chain that is kept", ge=2, le=1000, source=PROGRAM)
    sure: float = param(4.0, "log-odds from which a chain's direction counts as known", ge=0, le=1000)


class AssignParams(Params):
    """Parameters of ``modelangelo.assign``."""

    chance: float = param(
        0.1, "how many pieces as good as a chain's first one chance may make, in all points and sequences", gt=0, le=1e9
    )
    least: float = param(4.0, "least score, in nats, of a piece within reach of those that are placed", ge=0, le=1000)
    shortest: int = param(4, "fewest residues of a piece that is placed", ge=2, le=1000, source=PROGRAM)
    join: int = param(5, "fewest residues of a piece that joins others in a chain", ge=2, le=1000, source=PROGRAM)
    right: float = param(
        0.4, "least share of them whose amino acid is likelier there than elsewhere", ge=0, le=1, source=PROGRAM
    )
    ends: float = param(
        30.0, "ends of pieces that are joined may be so far apart", unit="Å", gt=0, le=500, source=PROGRAM
    )
    gap: int = param(40, "residues that may be missing between them", ge=0, le=10_000, source=PROGRAM)
    slack: float = param(3.0, "beyond 3.8 Å a residue, between pieces of a chain", unit="Å", ge=0, le=50)
    turned: float = param(1.0, "what a piece's score loses if it runs against its chain", ge=0, le=1000)
    extend: int = param(100, "points by which a piece may go on along its chain where names do not tell", ge=0, le=1000)
    fill: int = param(3, "residues without a point between two placed ones that are put on the line", ge=0, le=20)


class LettersParams(Params):
    """Parameters of ``modelangelo.letters``."""

    fewest: int = param(4, "points of a chain that is kept", ge=2, le=1000, source=PROGRAM)


STAGES = [
    Stage(
        id="modelangelo.maps",
        kind=Kind.DETECT,
        summary="probability of Cα, P and backbone at every voxel, by ModelAngelo's published first network",
        load="cryoweave_modelangelo.detect:maps",
        takes={"density": DensityMap},
        gives=ProbabilityMaps,
        params=MapsParams,
        cites=(DOI,),
        check="cryoweave_modelangelo.weights:check",
    ),
    Stage(
        id="modelangelo.chains",
        kind=Kind.TRACE,
        summary="chains by flood fill over the best bonds of 3.8 Å, turned N to C by where Cβ and O lie",
        load="cryoweave_modelangelo.chains:chained",
        takes={"bonds": BondGraph, "maps": ProbabilityMaps},
        gives=Traces,
        optional=("maps",),
        params=ChainsParams,
        cites=(DOI,),
    ),
    Stage(
        id="modelangelo.assign",
        kind=Kind.THREAD,
        summary="chains as profile hidden Markov models aligned with all sequences, joined by the published rules",
        load="cryoweave_modelangelo.assign:assigned",
        takes={"points": PointCloud, "traces": Traces, "sequences": SequenceSet},
        version=2,
        gives=Threading,
        params=AssignParams,
        cites=(DOI,),
        check="cryoweave_modelangelo.assign:check",
    ),
    Stage(
        id="modelangelo.letters",
        kind=Kind.THREAD,
        summary="chains without sequences: each point the amino acid that is likeliest there",
        load="cryoweave_modelangelo.letters:lettered",
        takes={"points": PointCloud, "traces": Traces},
        gives=Threading,
        params=LettersParams,
        cites=(DOI,),
    ),
]


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """Detection, chains, names."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """The method behind our detector and refiner, with sequences and without."""
    folder = files("cryoweave_modelangelo") / "recipes"
    return [Recipe.from_toml((folder / f"{name}.toml").read_text("utf-8"), f"{name}.toml") for name in RECIPES]


@hookimpl
def cryoweave_checks() -> list[Check]:
    """HMMER, and the published weights, which the user brings."""
    return [
        Check(
            "pyhmmer",
            "HMMER as a Python package, for `cryoweave identify`",
            "cryoweave_modelangelo.identify:check_hmmer",
        ),
        Check(
            "modelangelo-weights",
            "ModelAngelo's published Cα network and PyTorch",
            "cryoweave_modelangelo.weights:check_weights",
        ),
    ]


@hookimpl
def cryoweave_commands() -> list[Command]:
    """The search for the sequences of unknown chains."""
    return [
        Command(
            "identify",
            "Look for the chains of a run in a database of sequences.",
            "cryoweave_modelangelo.identify_app:app",
        )
    ]
