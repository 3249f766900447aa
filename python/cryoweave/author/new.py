"""A new plugin's package, from the template beside this file."""

import keyword
import re
from importlib.metadata import requires
from pathlib import Path

from cryoweave.errors import PluginError, UsageError
from cryoweave.host import Registry

TEMPLATE = Path(__file__).parent / "template"
KINDS = {
    "detector": "points in a map",
    "tracer": "chains through points",
    "fitter": "places of models in a map",
    "validator": "scores of a model",
    "program": "a command-line program as a stage",
}
"""What can be begun with, and what its first stage gives."""
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_AUTHOR = re.compile(r'[^"<>\\\n]*(<[^"<>\\\s@]+@[^"<>\\\s@]+>)?')


def new_plugin(name: str, kind: str, folder: Path, registry: Registry, author: str = "") -> Path:
    """Write a package that can be installed, tested and used at once.

    Parameters
    ----------
    name
        Of the plugin, e.g. ``my-peaks``; ``cryoweave-my-peaks`` means the same. That is the name of the package,
        whose stages are ``my_peaks.…``.
    kind
        One of :data:`KINDS`.
    folder
        Where the package's folder is made.
    registry
        The installed plugins, whose names are taken.
    author
        ``Name`` or ``Name <address>``; empty for none.

    Returns
    -------
    The package's folder.

    Raises
    ------
    UsageError
        If a name or the kind cannot be, is taken, or the folder is there already.
    PluginError
        If copier, which fills the template in, is not installed.
    """
    name = name.removeprefix("cryoweave-")
    _possible(name, kind, author)
    _free(name, registry)
    target = folder / f"cryoweave-{name}"
    if target.exists():
        raise UsageError(f"{target} is there already", "choose another name, or another folder with -o")
    try:
        from copier import run_copy
    except ImportError as error:
        raise PluginError(
            f"the package copier, which writes new plugins, cannot be used: {error}", "pip install copier"
        ) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        run_copy(str(TEMPLATE), target, data={"name": name, "kind": kind, "author": author}, defaults=True, quiet=True)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror or error}", "choose a folder with -o") from error
    return target


def _possible(name: str, kind: str, author: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a plugin's name",
            "begin with a letter; then lower-case letters and digits, words joined by hyphens, e.g. my-peaks",
        )
    if keyword.iskeyword(name) or len(name) > 40:
        raise UsageError(f"{name!r} cannot be a plugin's name", "it is too long or a word of Python; choose another")
    if kind not in KINDS:
        raise UsageError(f"there is no kind {kind!r}", f"kinds: {', '.join(KINDS)}")
    if not _AUTHOR.fullmatch(author):
        raise UsageError(f"{author!r} cannot be an author", 'write "Name" or "Name <name@example.org>"')


def _free(name: str, registry: Registry) -> None:
    """Refuse a name that an installed plugin, its stages or its recipes have."""
    for row in registry.plugins:
        if name == row.name or row.package == f"cryoweave-{name}":
            raise UsageError(f"the name {name!r} is taken: {row.package} is installed", "choose another name")
    ours = {re.split(r"[^\w-]", one)[0] for one in requires("cryoweave") or []}  # installed or not: those of its extras
    if f"cryoweave-{name}" in ours:
        raise UsageError(f"the name {name!r} is taken: cryoweave-{name} is one of ours", "choose another name")
    family = name.replace("-", "_")
    for stage in registry.stages:
        if stage.partition(".")[0] == family:
            owner = registry.package_of("stages", stage)
            raise UsageError(f"the name {name!r} is taken: {owner} has the stage {stage}", "choose another name")
    if name in registry.recipes:
        owner = registry.package_of("recipes", name)
        raise UsageError(f"the name {name!r} is taken: {owner} has the recipe {name}", "choose another name")
