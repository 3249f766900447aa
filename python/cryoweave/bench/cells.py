"""Cells: each recipe on each map with each seed, the folder of each, and all that decides what it gives."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryoweave import host
from cryoweave.bench.sheet import NAME, Target
from cryoweave.errors import UsageError
from cryoweave.host.records import Recipe
from cryoweave.pipeline.chain import load_recipe
from cryoweave.pipeline.code import code_digest
from cryoweave.pipeline.inputs import file_digest, model_inputs
from cryoweave.pipeline.plan import prepare
from cryoweave.pipeline.settings import shared_settings
from cryoweave.pipeline.validation import validators
from cryoweave.pipeline.wiring import check_needs

SHARED = ("resolution", "contour", "symmetry")
"""Fields of a target that every step with a parameter of that name gets, and what judges the models."""
_INPUT = "input."


@dataclass(frozen=True)
class Options:
    """What all cells of a bench have in common.

    Parameters
    ----------
    threads, device
        Of each cell.
    time_budget
        Seconds that the searches of a run share, if it has a limit.
    validators
        Stages that judge every model.
    settings
        Parameters for all recipes that have the step, ``"step.param" -> value``.
    reuse
        Whether the cells of one map take each other's steps that ran alike.
    pages
        Whether each model has its report and scripts for viewers, two megabytes.
    """

    threads: int = 1
    device: str = "auto"
    time_budget: float | None = None
    validators: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    reuse: bool = True
    pages: bool = True


@dataclass(frozen=True)
class Cell:
    """One recipe on one map with one seed.

    Parameters
    ----------
    target
        The map.
    recipe
        What tables and folders call the recipe.
    source
        What `load_recipe` takes: an id, or the path of a TOML file.
    seed
        Decides all random numbers.
    """

    target: Target
    recipe: str
    source: str
    seed: int = 0

    @property
    def id(self) -> str:
        """Where its folder lies below ``cells/``."""
        return f"{self.target.name}/{self.recipe}/{self.seed}"


@dataclass(frozen=True)
class Planned:
    """A cell that is ready to run, or the reason why it cannot.

    Parameters
    ----------
    cell
        The cell.
    key
        Digest of all that decides what it gives; empty if it cannot run.
    settings
        Parameters of its steps, ``"step.param" -> value``.
    takes
        Names of the inputs that its steps take.
    unfit
        Why the recipe does not suit the target, e.g. that it needs a model and none is given.
    """

    cell: Cell
    key: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    takes: tuple[str, ...] = ()
    unfit: str = ""


def named_recipes(sources: Iterable[str]) -> dict[str, str]:
    """What each recipe is called, with what `load_recipe` takes.

    Raises
    ------
    UsageError
        If there is none, one does not exist, or two have one name.
    """
    found: dict[str, str] = {}
    for source in sources:
        load_recipe(source)
        is_file = source.endswith(".toml")
        name = Path(source).stem if is_file else source
        if name in found:
            raise UsageError(f"two recipes are called {name}", "rename one of the files")
        if not NAME.fullmatch(name):
            raise UsageError(f"the recipe {name!r} cannot name a folder", "rename its file")
        found[name] = str(Path(source).absolute()) if is_file else source
    if not found:
        raise UsageError("no recipe is given", "give --recipes A,B,C, from `cryoweave recipes list`")
    return found


def cells_of(targets: Sequence[Target], recipes: Mapping[str, str], seeds: Sequence[int]) -> list[Cell]:
    """All cells; neighbours in the list have different maps, so that what runs at once can take others' steps."""
    return [
        Cell(target, name, source, seed) for name, source in recipes.items() for seed in seeds for target in targets
    ]


def chosen_validators(names: Sequence[str]) -> tuple[str, ...]:
    """Validators by id, of ``("all",)`` all; of none those for which no other stage would have to run.

    Raises
    ------
    UsageError
        If one does not exist.
    """
    known = {stage.id: stage for stage in validators()}
    if list(names) == ["all"]:
        return tuple(known)
    unknown = next((name for name in names if name not in known), None)
    if unknown is not None:
        raise UsageError(f"there is no validator {unknown!r}", f"there are: {', '.join(known)}")
    offered = {name for stage in host.registry().stages.values() for name in stage.offers}
    return tuple(names) or tuple(name for name in known if name not in offered)


def inputs_of(target: Target, recipe: Recipe | str) -> dict[str, Any]:
    """What a run of the recipe gets of a target: all but the reference."""
    inputs = {"density": target.map, "sequences": target.sequences(), **target.given}
    return {name: value for name, value in inputs.items() if value is not None} | model_inputs(
        recipe, list(target.models)
    )


class Digests:
    """Digests of files, worked out once as long as size and time of change stay.

    Parameters
    ----------
    path
        Where they are kept.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._known: dict[str, Any] = json.loads(path.read_bytes())
        except (OSError, ValueError):
            self._known = {}
        self._changed = False

    def of(self, path: Path) -> str:
        """SHA-256 of a file."""
        stat = path.stat()
        stamp = [stat.st_size, stat.st_mtime_ns]
        entry = self._known.get(str(path))
        if not isinstance(entry, list) or entry[:2] != stamp:
            entry = [*stamp, file_digest(path)]
            self._known[str(path)] = entry
            self._changed = True
        return str(entry[2])

    def write(self) -> None:
        """Keep them, if there are new ones."""
        from cryoweave.io.tables import write_json

        if self._changed:
            write_json(self._path, self._known)


def plan_cell(cell: Cell, options: Options, digests: Digests) -> Planned:
    """What decides a cell's result, or why its recipe does not suit its target.

    Raises
    ------
    UsageError
        If a setting does not suit the recipe.
    PluginError
        If a plugin of the recipe, or something that it needs, is missing.
    """
    settings = _settings(cell, load_recipe(cell.source), options)
    chain = _wired(cell.source, tuple(inputs_of(cell.target, cell.source)), json.dumps(settings, sort_keys=True))
    if isinstance(chain, str):
        return Planned(cell, unfit=chain)
    return Planned(cell, _key(cell, chain.steps, options, digests), settings, chain.takes)


@dataclass(frozen=True)
class _Chain:
    """A recipe with some inputs and settings: its steps in JSON's types, and the inputs that they take."""

    steps: list[dict[str, Any]]
    takes: tuple[str, ...]


@lru_cache(maxsize=1024)  # of many maps most have the same inputs and settings
def _wired(source: str, given: tuple[str, ...], settings: str) -> "_Chain | str":
    """The chain, or why it does not suit the inputs."""
    recipe, some, chosen = load_recipe(source), Path(), json.loads(settings)
    prepare(recipe, _all_inputs(recipe), chosen)  # what is wrong now is wrong with recipe or settings
    try:
        wired = prepare(recipe, dict.fromkeys(given, some), chosen)
    except UsageError as error:
        return str(error)
    check_needs(wired)
    taken = {source for step in wired.steps for source in step.sources.values() if source.startswith(_INPUT)}
    steps = [
        {
            "step": step.name,
            "stage": step.stage.id,
            "version": step.stage.version,
            "package": step.package,
            "code": code_digest(step.stage, step.package),
            "params": step.params.model_dump(mode="json"),
            "sources": dict(step.sources),
        }
        for step in wired.steps
    ]
    return _Chain(steps, tuple(sorted(source.removeprefix(_INPUT) for source in taken)))


def _all_inputs(recipe: Recipe) -> dict[str, Any]:
    """Every input that a run can have, of which nothing is read."""
    some = Path()
    return {"density": some, "sequences": some, "reference": some, **dict.fromkeys(host.registry().formats, some)} | (
        model_inputs(recipe, [some])
    )


def _settings(cell: Cell, recipe: Recipe, options: Options) -> dict[str, Any]:
    shared: dict[str, Any] = {}
    for name in SHARED:
        value = getattr(cell.target, name)
        steps = [step for step in recipe.steps if name in host.registry().stage(step.stage).params.model_fields]
        if value is not None and steps:
            shared |= shared_settings(recipe, {name: value})
    names = [step.name for step in recipe.steps]
    own = {key: value for key, value in options.settings.items() if key.rpartition(".")[0] in names}
    return shared | own


def _key(cell: Cell, steps: list[dict[str, Any]], options: Options, digests: Digests) -> str:
    target = cell.target
    known = {
        "steps": steps,
        "seed": cell.seed,
        "files": {what: digests.of(path) for what, path in target.files().items()},
        "shared": {name: getattr(target, name) for name in (*SHARED, "reference_symmetry")},
        "time_budget": options.time_budget,
        "validators": {name: _which(name) for name in options.validators},
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def _which(validator: str) -> list[str]:
    stage = host.registry().stage(validator)
    return [str(stage.version), code_digest(stage, host.registry().package_of("stages", validator))]


def spec_of(planned: Planned, options: Options) -> dict[str, Any]:
    """Everything that the process of a cell must know, in JSON's types."""
    cell = planned.cell
    return {
        "cell": cell.id,
        "key": planned.key,
        "target": cell.target.model_dump(mode="json"),
        "recipe": cell.recipe,
        "source": cell.source,
        "seed": cell.seed,
        "takes": list(planned.takes),
        **asdict(options),
        "settings": dict(planned.settings),
    }
