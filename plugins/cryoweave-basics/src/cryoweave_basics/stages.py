"""What the plugin hands over. Nothing here does work: each stage names its function."""

from importlib.resources import files
from pathlib import Path
from typing import Literal

from cryoweave.data import DensityMap, Model, PointCloud, ProbabilityMaps, ScoreTable, Threading, Traces
from cryoweave.host import Command, Kind, Params, Recipe, Stage, hookimpl, param

LDP_SOURCE = "Terashi & Kihara 2018, doi 10.1038/s41467-018-04053-7"


class ResampleParams(Params):
    """Parameters of ``map.resample``."""

    voxel: float = param(1.0, "edge of the new cubic voxels", unit="Å", gt=0.05, le=20)
    order: Literal["linear", "cubic"] = param("cubic", "interpolation between the old voxels")


class UpsampleParams(Params):
    """Parameters of ``map.upsample``."""

    coarser_than: float = param(
        1.0, "double the sampling if a voxel is larger than this", unit="Å", gt=0, source=LDP_SOURCE
    )


class CropParams(Params):
    """Parameters of ``map.crop``."""

    margin: float = param(5.0, "empty rim to keep around the density", unit="Å", ge=0, le=100)
    threshold: float = param(0.0, "density above which a voxel is kept", unit="map")


class BlurParams(Params):
    """Parameters of ``map.blur``."""

    sigma: float = param(1.0, "width of the Gaussian", unit="Å", gt=0, le=50)


class OfClassParams(Params):
    """Parameters of ``map.of_class``."""

    class_name: str = param("backbone", "the class, as the detector names it")


class ProbabilitiesParams(Params):
    """Parameters of ``map.probabilities``."""

    folder: Path | None = param(
        None,
        "folder of maps named by class (CA.mrc, ALA.mrc.gz), or as DeepMainmast, CryoREAD or ModelAngelo do",
    )
    files: dict[str, Path] = param({}, "instead of a folder, the file of each class: {CA = 'a.mrc', N = 'b.mrc'}")


class CalphaParams(Params):
    """Parameters of ``points.calpha``."""

    threshold: float = param(0.1, "least probability of a Cα, averaged over `width`", ge=0, le=1)
    width: float = param(0.7, "width of the Gaussian that averages it", unit="Å", gt=0, le=5)
    apart: float = param(2.2, "of two candidates closer than this the likelier one stays", unit="Å", ge=0, le=10)
    gather: float = param(
        1.2, "amino acid and fold are averaged over the voxels within this, weighted by Cα", unit="Å", ge=0, le=5
    )


class SimulateParams(Params):
    """Parameters of ``model.simulate``."""

    resolution: float = param(3.5, "at which the correlation of half maps would fall to 0.143", unit="Å", ge=1, le=50)
    voxel: float = param(1.0, "edge of the voxels, without a map for the grid", unit="Å", ge=0.1, le=20)
    margin: float = param(10.0, "empty rim around the model, without a map for the grid", unit="Å", ge=0, le=200)
    noise: float = param(1.0, "amplitude of the noise over what the resolution asks for; 0: none", ge=0, le=100)
    solvent: float = param(0.5, "share of the mean density that solvent takes from the contrast", ge=0, le=1)
    disorder: float = param(0.0, "smooth density outside (detergent), over the molecule's mean", ge=0, le=10)
    falloff_b: float | None = param(
        None, "B of the map's spectrum: 0 sharp; as default 7 d², as in published maps", unit="Å²", ge=-500, le=5000
    )
    b_factor: float | None = param(None, "of every atom, in place of the model's own", unit="Å²", ge=0, le=1000)
    mask_radius: float | None = param(None, "zero beyond this from any atom", unit="Å", ge=0.5, le=100)
    mask_edge: float = param(0.0, "over which the mask falls off", unit="Å", ge=0, le=100)


class OracleParams(Params):
    """Parameters of ``model.points``."""

    error: float = param(0.5, "root mean square error of the positions", unit="Å", ge=0, le=5)
    missing: float = param(0.1, "share of the residues that have no point", ge=0, lt=1)
    false: float = param(0.1, "false points over residues", ge=0, le=5)
    accuracy: float = param(0.6, "share of the points whose most likely amino acid is right", gt=0, lt=1)


class SolventParams(Params):
    """Parameters of ``map.solvent``."""

    noise: float = param(
        0.15, "standard deviation of the noise over the mean density at the strongest 5 % of the voxels", ge=0, le=10
    )
    correlation: float = param(
        20.0, "B factor that colours the noise: the larger, the smoother", unit="Å²", ge=0, le=1000
    )
    bulk: float = param(0.05, "standard deviation of the slow solvent waves, in the same measure", ge=0, le=10)
    margin: float = param(10.0, "solvent to add on each side of the box", unit="Å", ge=0, le=200)


class MaximaParams(Params):
    """Parameters of ``peaks.maxima``."""

    threshold: float = param(0.0, "density above which a voxel may be a peak", unit="map")


class MeanShiftParams(Params):
    """Parameters of ``peaks.meanshift``."""

    threshold: float = param(0.0, "start at every voxel above this density (-t)", unit="map", source=LDP_SOURCE)
    bandwidth: float = param(2.0, "band width of the kernel (-gw)", unit="Å", gt=0, le=20, source=LDP_SOURCE)
    allow: float = param(10.0, "a point that moved farther than this stops (-allow)", unit="Å", gt=0, source=LDP_SOURCE)
    filter: float = param(
        0.1, "drop end points below this share of the density range (-filter)", ge=0, lt=1, source=LDP_SOURCE
    )
    merge: float = param(0.5, "join end points closer than this (-merge)", unit="Å", gt=0, le=10, source=LDP_SOURCE)


class TraceParams(Params):
    """Parameters of ``build.trace``."""

    fewest: int = param(2, "points of a fragment that becomes a chain", ge=1, le=1000)


class BackboneParams(Params):
    """Parameters of ``build.backbone``."""

    bond: float = param(
        6.0, "residues that follow each other are bonded unless their Cα are farther apart", unit="Å", ge=3.8, le=10
    )


STAGES = [
    Stage(
        id="map.resample",
        kind=Kind.PREPARE,
        summary="bring the map to cubic voxels of a given size",
        load="cryoweave_basics.prepare:resampled",
        takes={"density": DensityMap},
        gives=DensityMap,
        params=ResampleParams,
    ),
    Stage(
        id="map.upsample",
        kind=Kind.PREPARE,
        summary="double the sampling of a coarse map by linear interpolation",
        load="cryoweave_basics.prepare:upsampled",
        takes={"density": DensityMap},
        gives=DensityMap,
        params=UpsampleParams,
    ),
    Stage(
        id="map.crop",
        kind=Kind.PREPARE,
        summary="cut off the empty rim of the box",
        load="cryoweave_basics.prepare:cropped",
        takes={"density": DensityMap},
        gives=DensityMap,
        params=CropParams,
    ),
    Stage(
        id="map.blur",
        kind=Kind.PREPARE,
        summary="Gaussian low-pass filter",
        load="cryoweave_basics.prepare:blurred",
        takes={"density": DensityMap},
        gives=DensityMap,
        params=BlurParams,
    ),
    Stage(
        id="map.flip",
        kind=Kind.PREPARE,
        summary="mirror the map (the other hand)",
        load="cryoweave_basics.prepare:flipped",
        takes={"density": DensityMap},
        gives=DensityMap,
    ),
    Stage(
        id="map.of_class",
        kind=Kind.PREPARE,
        summary="the probability map of one class, for what works on density",
        load="cryoweave_basics.prepare:of_class",
        takes={"maps": ProbabilityMaps},
        gives=DensityMap,
        params=OfClassParams,
    ),
    Stage(
        id="map.probabilities",
        kind=Kind.DETECT,
        summary="probability maps that another program wrote, as a detection",
        load="cryoweave_basics.imported:read",
        takes={"density": DensityMap},
        gives=ProbabilityMaps,
        optional=("density",),
        params=ProbabilitiesParams,
        check="cryoweave_basics.imported:check",
    ),
    Stage(
        id="model.simulate",
        kind=Kind.PREPARE,
        summary="the map that an experiment would give of a model: electron scattering, solvent, noise, fall-off, mask",
        load="cryoweave_basics.simulated:simulated",
        takes={"model": Model, "density": DensityMap},
        gives=DensityMap,
        optional=("density",),
        params=SimulateParams,
        check="cryoweave_basics.simulated:check",
    ),
    Stage(
        id="model.points",
        kind=Kind.DETECT,
        summary="what a detector of a chosen quality would find of a known model, to judge tracers by themselves",
        load="cryoweave_basics.oracle:points",
        takes={"model": Model},
        gives=PointCloud,
        params=OracleParams,
    ),
    Stage(
        id="map.solvent",
        kind=Kind.PREPARE,
        summary="add solvent and coloured noise to a masked map, to judge a method without the mask's help",
        load="cryoweave_basics.prepare:with_solvent",
        takes={"density": DensityMap},
        gives=DensityMap,
        params=SolventParams,
    ),
    Stage(
        id="points.calpha",
        kind=Kind.DETECT,
        summary="Cα candidates in probability maps, with the probabilities of amino acid and fold there",
        load="cryoweave_basics.detect:calpha",
        takes={"maps": ProbabilityMaps},
        gives=PointCloud,
        params=CalphaParams,
    ),
    Stage(
        id="peaks.maxima",
        kind=Kind.DETECT,
        summary="local maxima of the density",
        load="cryoweave_basics.detect:maxima",
        takes={"density": DensityMap},
        gives=PointCloud,
        params=MaximaParams,
    ),
    Stage(
        id="peaks.meanshift",
        kind=Kind.DETECT,
        summary="local dense points: mean shift of every voxel, end points merged and joined by continuous density",
        load="cryoweave_basics.detect:mean_shifted",
        takes={"density": DensityMap},
        gives=PointCloud,
        params=MeanShiftParams,
        cites=("10.1038/s41467-018-04053-7",),
    ),
    Stage(
        id="build.calpha",
        kind=Kind.BUILD,
        summary="a Cα model of the best threading, numbered as the sequences, confidence in the B factor",
        load="cryoweave_basics.build:alpha_carbons",
        takes={"threading": Threading},
        gives=Model,
        version=2,
    ),
    Stage(
        id="build.trace",
        kind=Kind.BUILD,
        summary="a Cα model of the first candidate's traces, a chain of unknown residues for each fragment",
        load="cryoweave_basics.build:unknown_residues",
        takes={"traces": Traces},
        gives=Model,
        params=TraceParams,
    ),
    Stage(
        id="build.backbone",
        kind=Kind.BUILD,
        summary="the best threading as N, Cα, C, O, Cβ refined in the density; numbers and B factors as build.calpha",
        load="cryoweave_basics.build:backbone",
        takes={"density": DensityMap, "threading": Threading},
        gives=Model,
        params=BackboneParams,
        version=3,
    ),
    Stage(
        id="build.full",
        kind=Kind.BUILD,
        summary="the best threading with all heavy atoms: main chain as build.backbone, rotamers of the side chains; "
        "a map is optional",
        load="cryoweave_basics.build:full",
        takes={"density": DensityMap, "threading": Threading},
        gives=Model,
        optional=("density",),
        params=BackboneParams,
    ),
    Stage(
        id="compare.reference",
        kind=Kind.VALIDATE,
        summary="Cα recall, precision, register, TM-score and fragments against a reference model",
        load="cryoweave_basics.reference:compared",
        takes={"model": Model, "reference": Model},
        gives=ScoreTable,
        version=4,
        cites=("10.1002/prot.20264",),
    ),
    Stage(
        id="compare.density",
        kind=Kind.VALIDATE,
        summary="density at the atoms, and Cα geometry",
        load="cryoweave_basics.density:supported",
        takes={"model": Model, "density": DensityMap},
        gives=ScoreTable,
        version=3,
    ),
]


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """The stages of this plugin."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """A chain for the maps of other programs."""
    name = "maps-mainmast.toml"
    return [Recipe.from_toml((files("cryoweave_basics") / "recipes" / name).read_text("utf-8"), name)]


@hookimpl
def cryoweave_commands() -> list[Command]:
    """Simulation."""
    return [
        Command("simulate", "The map that an experiment would give of a model.", "cryoweave_basics.simulate_app:app")
    ]
