"""Options that ``run`` and ``plan`` share; each help text has an example.

``readable=False`` only keeps Typer from looking: the readers say themselves what is wrong with a file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cryoweave.errors import UsageError

if TYPE_CHECKING:
    from cryoweave.host.context import Spread
    from cryoweave.host.records import Recipe

INPUTS, CHAIN, RUN = "Inputs", "Recipe and parameters", "Run"

Named = Annotated[
    str | None,
    typer.Argument(
        metavar="RECIPE",
        help="Name of a recipe (cryoweave recipes list) or path of one, e.g. own.toml; run.toml of a run folder "
        "repeats that run with its inputs, seed, threads and device, as far as they are not given.",
        show_default=False,
    ),
]
Map = Annotated[
    Path | None,
    typer.Option(
        "-v",
        "--map",
        readable=False,
        metavar="MAP",
        help="Density map, MRC or CCP4, also .gz; e.g. -v emd_2566.map.gz.",
        rich_help_panel=INPUTS,
    ),
]
Sequences = Annotated[
    Path | None,
    typer.Option(
        "-s", "--sequence", "-pf", "--protein-fasta", readable=False, metavar="FASTA",
        help="Sequences of the proteins, e.g. -s chains.fasta.", rich_help_panel=INPUTS,
    ),
]  # fmt: skip
Rna = Annotated[
    Path | None,
    typer.Option(
        "-rf",
        "--rna-fasta",
        readable=False,
        metavar="FASTA",
        help="Sequences of the RNA, e.g. -rf rrna.fasta.",
        rich_help_panel=INPUTS,
    ),
]
Dna = Annotated[
    Path | None,
    typer.Option(
        "-df",
        "--dna-fasta",
        readable=False,
        metavar="FASTA",
        help="Sequences of the DNA, e.g. -df operator.fasta.",
        rich_help_panel=INPUTS,
    ),
]
Secondary = Annotated[
    Path | None,
    typer.Option(
        "--secondary-structure", readable=False, metavar="FILE", rich_help_panel=INPUTS,
        help="Secondary structure of the proteins, letters H, E, C or a PSIPRED or SPIDER file; e.g. chain.ss2.",
    ),
]  # fmt: skip
ModelFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--model",
        readable=False,
        metavar="FILE",
        help="Model to start from or to fit, PDB or mmCIF, e.g. --model af2.cif; may be repeated.",
        rich_help_panel=INPUTS,
    ),
]
Reference = Annotated[
    Path | None,
    typer.Option(
        "-r", "--reference", readable=False, metavar="FILE", rich_help_panel=INPUTS,
        help="Known model, only compared with, never built from; e.g. -r 3j6b.cif.",
    ),
]  # fmt: skip
Given = Annotated[
    list[str] | None,
    typer.Option(
        "--given",
        metavar="FORMAT=FILE",
        help="Another program's file to start from; e.g. --given FORMAT=points.pdb.",
        rich_help_panel=INPUTS,
    ),
]
Chain = Annotated[
    str | None,
    typer.Option(
        "--chain", metavar="CHAIN", rich_help_panel=CHAIN,
        help='Stages instead of a recipe, e.g. --chain "peaks.meanshift(threshold=0.2) > FAMILY.STAGE".',
    ),
]  # fmt: skip
Swap = Annotated[
    list[str] | None,
    typer.Option(
        "--swap", metavar="STEP=STAGE", rich_help_panel=CHAIN,
        help='Another stage for a step, none after "STEP="; e.g. --swap "points=peaks.maxima(threshold=0.2)".',
    ),
]  # fmt: skip
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="STEP.PARAM=VALUE",
        help="A parameter of a step, e.g. --set points.threshold=0.2; may be repeated.",
        rich_help_panel=CHAIN,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FOLDER",
        help="Run folder, RECIPE_MAP if not given; what is kept there is used again; e.g. -o out.",
        rich_help_panel=RUN,
    ),
]
Start = Annotated[
    str | None,
    typer.Option("--from", metavar="STEP", help="Run again from this step on, e.g. --from trace.", rich_help_panel=RUN),
]
Until = Annotated[
    str | None,
    typer.Option("--until", metavar="STEP", help="Stop after this step, e.g. --until trace.", rich_help_panel=RUN),
]
Force = Annotated[
    list[str] | None,
    typer.Option(
        "--force",
        metavar="STEP",
        help="Run this step again whatever is kept, e.g. --force points; may be repeated.",
        rich_help_panel=RUN,
    ),
]
Replace = Annotated[
    bool,
    typer.Option(
        "--replace",
        help="Use the run folder although it holds the results of another map, other sequences or other models.",
        rich_help_panel=RUN,
    ),
]
Reuse = Annotated[
    list[Path] | None,
    typer.Option(
        "--reuse",
        metavar="FOLDER",
        help="Run folder, also of another recipe, whose results serve for steps that would run alike; e.g. --reuse "
        "an-earlier-run, to detect only once; may be repeated.",
        rich_help_panel=RUN,
    ),
]
IgnoreChecks = Annotated[
    bool,
    typer.Option(
        "--ignore-checks",
        help="Go on although a check of the inputs fails (see cryoweave check); it becomes a warning.",
        rich_help_panel=RUN,
    ),
]
TimeBudget = Annotated[
    str | None,
    typer.Option(
        "--time-budget",
        metavar="TIME",
        help="Time from the start that the searches among the steps share; they then give the best they have; other "
        "steps, such as the detection, take what they take; e.g. --time-budget 10m.",
        rich_help_panel=RUN,
    ),
]
Workers = Annotated[
    str | None,
    typer.Option(
        "--workers",
        metavar="ADDRESS",
        help="Dask scheduler over whose workers searches of all rotations are split; e.g. --workers tcp://head:8786.",
        rich_help_panel=RUN,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed", metavar="N", help="Decides all random numbers, 0 if not given; e.g. --seed 7.", rich_help_panel=RUN
    ),
]


@contextmanager
def spread_over(workers: str | None) -> "Iterator[Spread | None]":
    """What splits searches over the workers, if there are any."""
    if workers is None:
        yield None
        return
    from cryoweave.bench import executors

    with executors.spread_over(workers) as spread:
        yield spread


def seconds_of(time: str | None) -> float | None:
    """A time budget in seconds."""
    from cryoweave.pipeline.budget import seconds_of as parsed

    return None if time is None else parsed(time)


def recipe_of(name: str | None, chain: str | None, swap: list[str] | None = None) -> "Recipe | Path":
    """The recipe that the user means: by name, or the inline chain; the path of a file stays one without a swap."""
    from cryoweave.pipeline.chain import load_recipe, parse_chain
    from cryoweave.pipeline.swap import swapped

    if name is not None and chain is not None:
        raise UsageError(f"both a recipe ({name}) and --chain are given", "give one of them")
    if chain is not None:
        return swapped(parse_chain(chain), swap or [])
    if name is None:
        raise UsageError("no recipe is given", "see `cryoweave recipes list`, or give --chain")
    recipe = load_recipe(name)
    if swap:
        return swapped(recipe, swap)
    return Path(name) if name.endswith(".toml") else recipe


def map_of(path: Path | None, recipe: "Recipe | Path") -> Path:
    """The map, which every run starts from: given, or the one of the run that ``run.toml`` repeats."""
    from cryoweave.pipeline.again import complete

    path = path or complete(recipe, {}).inputs.get("density")
    if path is None:
        raise UsageError("no map is given", "give -v MAP, e.g. -v emd_2566.map.gz")
    return Path(path)


def sequences_of(protein: Path | None, rna: Path | None, dna: Path | None) -> dict[str, Path] | None:
    """Files of sequences by molecule; None if there is none."""
    files = {"protein": protein, "rna": rna, "dna": dna}
    return {molecule: path for molecule, path in files.items() if path is not None} or None


def given_of(texts: list[str] | None) -> dict[str, Any]:
    """``FORMAT=FILE`` texts as a mapping."""
    given = {}
    for text in texts or []:
        name, equals, path = text.partition("=")
        if not equals or not path:
            raise UsageError(f"cannot read --given {text!r}", "write --given FORMAT=FILE")
        given[name] = Path(path)
    return given
