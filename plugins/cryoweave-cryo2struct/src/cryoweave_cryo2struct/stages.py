"""What the plugin hands over: the published clustering and alignment, our tracer, and their recipes."""

from importlib.resources import files

from cryoweave.data import BondGraph, PointCloud, ProbabilityMaps, SequenceSet, Threading
from cryoweave.host import Kind, Params, Recipe, Stage, hookimpl, param

DOI = "10.1038/s41467-024-49647-6"
CODE = "default of the published program"
OURS = "ours: chosen on six structures of a corpus, see docs/methods/cryo2struct.md"


class ClusterParams(Params):
    """Parameters of ``cryo2struct.points``."""

    threshold: float = param(0.4, "least probability of a Cα in a voxel", ge=0, le=1, source=CODE)
    radius: float = param(2.0, "voxels this close to the likeliest one are one Cα", unit="Å", gt=0, le=10, source=CODE)


class ViterbiParams(Params):
    """Parameters of ``cryo2struct.viterbi``."""

    distance: float = param(3.8047, "mean distance of consecutive Cα", unit="Å", gt=0, le=10, source=CODE)
    deviation: float = param(0.0362, "its standard deviation", unit="Å", gt=0, le=10, source=CODE)
    std_lambda: float = param(10.0, "factor on the deviation", gt=0, le=1000, source=CODE)
    floor: float = param(1e-20, "added to the density of every distance", gt=0, le=1, source=CODE)


class BeamParams(Params):
    """Parameters of ``cryo2struct.beam``."""

    error: float = param(0.6, "root mean square error of the points to begin with", unit="Å", gt=0, le=3, source=OURS)
    missing: float = param(0.25, "share of the residues that no point stands for", gt=0, lt=1, source=OURS)
    forward: int = param(6, "most residues from one point to the next by distance alone", ge=1, le=6, source=OURS)
    base: float = param(2.0, "gain for placing a residue at all", ge=0, le=100, source=OURS)
    sharpness: float = param(
        1.5, "factor on the log-odds of amino acids to begin with; 1: as the detector says", gt=0, le=4, source=OURS
    )
    passes: int = param(3, "beliefs to work out; error and sharpness are learnt in between", ge=1, le=10, source=OURS)
    rounds: int = param(40, "times that residues tell each other what they claim", ge=0, le=1000, source=OURS)
    pace: float = param(0.25, "share of what is new in what they tell", gt=0, le=1, source=OURS)
    keep: int = param(
        150,
        "likeliest points that each residue is looked for on, so that time does not grow with both",
        ge=1,
        source=OURS,
    )
    tries: int = param(3, "beliefs to follow, of which the best way counts", ge=1, le=5, source=OURS)
    break_cost: float = param(10.0, "of a chain that goes on anywhere, for the beliefs", ge=0, le=100, source=OURS)
    gap_open: float = param(6.0, "of a step that is no usual distance", ge=0, le=100, source=OURS)
    gap_extend: float = param(0.5, "of each residue left out in it", ge=0, le=100, source=OURS)
    end_gap: float = param(1.0, "of each residue left out at the ends", ge=0, le=100, source=OURS)
    fill: int = param(
        4, "residues between two placed ones that are set in between if there is room", ge=0, le=20, source=OURS
    )
    width: int = param(20_000, "hypotheses that live on for each residue", ge=1, le=1_000_000)


def protein_only(sequences: SequenceSet, **_others: object) -> None:
    """Refuse before the first step what the tracers refuse."""
    from cryoweave_cryo2struct.sequences import proteins

    proteins(sequences)


STAGES = [
    Stage(
        id="cryo2struct.points",
        kind=Kind.DETECT,
        summary="Cα in probability maps as Cryo2Struct clusters them: voxels above a threshold, likeliest first",
        load="cryoweave_cryo2struct.points:clustered",
        takes={"maps": ProbabilityMaps},
        gives=PointCloud,
        params=ClusterParams,
        cites=(DOI,),
    ),
    Stage(
        id="cryo2struct.viterbi",
        kind=Kind.THREAD,
        summary="every residue onto a point by Viterbi's algorithm, no point twice, chain after chain, as published",
        load="cryoweave_cryo2struct.viterbi:threaded",
        takes={"points": PointCloud, "sequences": SequenceSet},
        gives=Threading,
        params=ViterbiParams,
        cites=(DOI,),
        check="cryoweave_cryo2struct.stages:protein_only",
    ),
    Stage(
        id="cryo2struct.beam",
        kind=Kind.THREAD,
        summary="ours: all chains by belief propagation, then a beam search that may pass over points and residues",
        load="cryoweave_cryo2struct.beam:threaded",
        takes={"points": PointCloud, "sequences": SequenceSet, "bonds": BondGraph},
        optional=("bonds",),
        version=3,
        gives=Threading,
        params=BeamParams,
        cites=(DOI, "10.1109/18.910572"),
        anytime=True,
        check="cryoweave_cryo2struct.stages:protein_only",
    ),
]
RECIPES = ("cryo2struct", "cryo2struct-plus")


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """The stages of this plugin."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """The recipes of this plugin, one TOML file each."""
    folder = files("cryoweave_cryo2struct") / "recipes"
    return [Recipe.from_toml((folder / f"{name}.toml").read_text("utf-8"), f"{name}.toml") for name in RECIPES]
