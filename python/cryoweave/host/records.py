"""What plugins hand over: records, not work."""

import importlib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from cryoweave.data import Metric, ScoreTable
from cryoweave.errors import PluginError, UsageError
from cryoweave.host.params import NoParams, Params


class Kind(StrEnum):
    """What a stage is for."""

    PREPARE = "prepare"
    DETECT = "detect"
    TRACE = "trace"
    THREAD = "thread"
    BUILD = "build"
    FIT = "fit"
    ASSEMBLE = "assemble"
    REFINE = "refine"
    VALIDATE = "validate"


def load_object(path: str) -> Any:
    """The object that ``package.module:name`` names.

    Raises
    ------
    PluginError
        If it cannot be imported; the message keeps the cause.
    """
    module_name, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module_name), name)
    except (Exception, SystemExit) as error:  # a stranger's module may raise anything
        raise PluginError(f"cannot load {path}: {error}", "see `cryoweave plugins doctor`") from error


@dataclass(frozen=True)
class Stage:
    """One step of any way from map to model: a pure function of inputs, parameters and a seed.

    Parameters
    ----------
    id
        ``family.verb``, e.g. ``peaks.meanshift``; unique over all plugins.
    kind
        What it is for.
    summary
        One line for lists.
    load
        ``package.module:function``; imported only when the stage runs. The function takes its inputs by name, then
        ``params``, then ``ctx``, and returns its output.
    takes
        Type of each input by name. An input gets the latest value of its type, an input named like one of the run's
        inputs (``reference``, ``model``) of the same type that one, unless the recipe says otherwise.
    gives
        Type of the output.
    optional
        Names of inputs that may be missing (``None``).
    params
        The parameters' class.
    needs
        What must be there to run it, beyond the plugin's own dependencies: names of checks, e.g. ``pulchra``.
    cites
        DOIs of the work that it follows.
    check
        ``package.module:function``, called before the first step of a run with the stage's inputs by name and
        ``params``; inputs that an earlier step gives are ``None``. It raises what the stage would raise hours later,
        e.g. because of two sequences where it takes one, and returns nothing.
    version
        Raise it when the same inputs give another result: it is part of the cache key.
    offers
        Ids of validators of which this stage makes an optional input of its type when nobody gave what they need.
    anytime
        Whether it is a search that looks at ``ctx.time_left()`` and ends with what it has: it gets a share of the run's
        time budget.
    measures
        What the numbers of its poses mean, by name; ``z`` and ``sure`` mean the same everywhere.
    """

    id: str
    kind: Kind
    summary: str
    load: str
    takes: Mapping[str, type]
    gives: type
    optional: tuple[str, ...] = ()
    params: type[Params] = NoParams
    needs: tuple[str, ...] = ()
    cites: tuple[str, ...] = ()
    version: int = 1
    check: str = ""
    offers: tuple[str, ...] = ()
    anytime: bool = False
    measures: Mapping[str, Metric] = field(default_factory=dict)

    @property
    def is_validator(self) -> bool:
        """Whether ``cryoweave validate`` runs it."""
        return self.kind is Kind.VALIDATE and self.gives is ScoreTable

    def function(self) -> Callable[..., Any]:
        """The function itself, imported now."""
        found: Callable[..., Any] = load_object(self.load)
        return found


@dataclass(frozen=True)
class Step:
    """One stage in a recipe.

    Parameters
    ----------
    stage
        The stage's id.
    name
        Unique in the recipe; what ``--set NAME.param=value`` and ``--from NAME`` mean.
    params
        Parameters that differ from the stage's defaults.
    inputs
        Source of an input where the latest value of its type is not meant: a step's name, or ``input.density``,
        ``input.sequences``, ``input.model``, ``input.reference`` for what the user gave.
    optional
        Leave the step out, and say so in the plan, when the user did not give an input that it needs; for validators
        that want a reference.
    """

    stage: str
    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    optional: bool = False


@dataclass(frozen=True)
class Recipe:
    """A named chain of stages.

    Parameters
    ----------
    id
        Unique over all plugins.
    summary
        One line for lists.
    steps
        In the order in which they run.
    cites
        DOIs of the method as a whole.
    """

    id: str
    summary: str
    steps: tuple[Step, ...]
    cites: tuple[str, ...] = ()

    @classmethod
    def from_toml(cls, text: str, source: str) -> "Recipe":
        """Read a recipe from TOML.

        Parameters
        ----------
        text
            A table ``[recipe]`` with ``id``, ``summary`` and ``cites``, then one ``[[step]]`` per stage with ``stage``
            and, if wanted, ``name``, ``params``, ``inputs`` and ``optional``.
        source
            Name of the file, for messages.

        Raises
        ------
        UsageError
            If it is not such a text.
        """
        try:
            table = tomllib.loads(text)
            head = table.pop("recipe")
            steps = tuple(_step(entry) for entry in table.pop("step"))
            recipe = cls(head.pop("id"), head.pop("summary"), steps, tuple(head.pop("cites", ())))
        except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"{source} is not a recipe: {error}", "see `cryoweave recipes show` for one that works"
            ) from error
        unknown = [*table, *head]
        if unknown:
            raise UsageError(f"{source}: a recipe has no entry {unknown[0]!r}")
        names = [step.name for step in steps]
        double = [name for name in names if names.count(name) > 1]
        if double:
            raise UsageError(f"{source}: two steps have the name {double[0]!r}", "give one of them another `name`")
        return recipe


def _step(entry: dict[str, Any]) -> Step:
    stage = entry.pop("stage")
    step = Step(
        stage=stage,
        name=entry.pop("name", stage.rpartition(".")[2]),
        params=entry.pop("params", {}),
        inputs=entry.pop("inputs", {}),
        optional=entry.pop("optional", False),
    )
    if entry:
        raise KeyError(f"a step has no entry {next(iter(entry))!r}")
    return step


@dataclass(frozen=True)
class CheckResult:
    """What a check found: whether it is there, in one line, and how to get it if not."""

    ok: bool
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Check:
    """Something outside of the plugin that a stage needs: a program, weights, a device.

    Parameters
    ----------
    id
        What a stage's ``needs`` names.
    summary
        One line.
    load
        ``package.module:function`` without arguments that returns a :class:`CheckResult`.
    """

    id: str
    summary: str
    load: str


@dataclass(frozen=True)
class Format:
    """A third party's file that a run can start from.

    Parameters
    ----------
    id
        What ``--given ID=FILE`` names.
    summary
        One line.
    gives
        Type of the value in the file.
    load
        ``package.module:function`` that takes a path and returns the value.
    """

    id: str
    summary: str
    gives: type
    load: str


@dataclass(frozen=True)
class Command:
    """A command of its own below ``cryoweave``.

    Parameters
    ----------
    name
        As typed.
    summary
        One line of help.
    load
        ``package.module:app``, a Typer app.
    """

    name: str
    summary: str
    load: str
