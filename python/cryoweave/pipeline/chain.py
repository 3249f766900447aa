"""A chain of stages from what the user wrote: a recipe's name, a TOML file, or an inline chain."""

import difflib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryoweave import host
from cryoweave.errors import UsageError
from cryoweave.host.records import Recipe, Step

INLINE = "chain"
_EXAMPLE = 'write it like "FAMILY.STAGE(param=0.2) > FAMILY.STAGE", with stages from `cryoweave stages list`'
_STAGE = re.compile(r"([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)+)\s*(?:\((.*)\))?", re.DOTALL)
_BARE = re.compile(r"(?:[A-Za-z_]|\d[\d.]*[A-Za-z_]|\.{0,2}/|~/)[\w.+/-]*")
_OPEN, _CLOSE = "([{", ")]}"


def load_recipe(recipe: Recipe | str | Path) -> Recipe:
    """The recipe that this names: a record itself, a path that ends in ``.toml``, or an id of a plugin's recipe.

    Raises
    ------
    UsageError
        If there is no such recipe or the file is none.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if str(recipe).endswith(".toml"):
        return _from_file(Path(recipe))
    return host.registry().recipe(str(recipe))


def _from_file(path: Path) -> Recipe:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the recipe {path}: {error}", "see `cryoweave recipes list`") from error
    return Recipe.from_toml(_without_run(text), str(path))


def _without_run(text: str) -> str:
    """The recipe in a ``run.toml``: the same file without its table ``[run]``."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return text  # Recipe.from_toml says what is wrong
    if table.pop("run", None) is None:
        return text
    import tomli_w

    return tomli_w.dumps(table)


def parse_chain(text: str) -> Recipe:
    """The recipe of an inline chain, e.g. ``"peaks.meanshift(threshold=0.16) > paths.longest"``.

    Parameters
    ----------
    text
        Ids of stages with ``>`` between them; parameters in parentheses, each ``name=value`` with a TOML value, in
        which a bare word is a text. Steps are named by the second half of the id, numbered where that is taken.

    Raises
    ------
    UsageError
        If it is not such a chain. Whether the stages exist is for the plan to say.
    """
    steps: list[Step] = []
    for part in _split(text, ">"):
        found = _STAGE.fullmatch(part)
        if found is None:
            wrong = f"cannot read {part!r}" if part else "a stage is missing"
            raise UsageError(f"{wrong} in the chain {text!r}", _EXAMPLE)
        stage, arguments = found.groups()
        name = _free_name(stage.rpartition(".")[2], [step.name for step in steps])
        steps.append(Step(stage, name, dict(_arguments(arguments or "", stage))))
    return Recipe(INLINE, " > ".join(step.stage for step in steps), tuple(steps))


def parse_value(text: str, place: str) -> Any:
    """A TOML value; a bare word or path is a text.

    Raises
    ------
    UsageError
        If it is neither; ``place`` says where it stood.
    """
    text = text.strip()
    try:
        table = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        table = {}
    if set(table) == {"value"}:
        return table["value"]
    if _BARE.fullmatch(text):
        return text
    raise UsageError(f"{place}: {text!r} is no value", 'write numbers, true/false, [1, 2] or "text"')


def near(name: str, known: list[str]) -> str:
    """A hint with the names that look alike, or else with all of them."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(known) or 'none'}"


def _arguments(text: str, stage: str) -> Iterator[tuple[str, Any]]:
    for argument in _split(text, ",") if text.strip() else []:
        name, equals, value = argument.partition("=")
        if not equals or not name.strip().isidentifier():
            raise UsageError(f"{stage}: cannot read the parameter {argument!r}", _EXAMPLE)
        yield name.strip(), parse_value(value, f"{stage}({name.strip()})")


def _free_name(name: str, taken: list[str]) -> str:
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}{number}", number + 1
    return free


def _split(text: str, separator: str) -> list[str]:
    """Parts between separators that stand outside of brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in _OPEN:
            depth += 1
        elif letter in _CLOSE:
            depth -= 1
        if letter == separator and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]
