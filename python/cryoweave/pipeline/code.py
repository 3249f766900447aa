"""The code of plugins that are being written: what they gave before it changed is not what they give now."""

import hashlib
import json
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from cryoweave.host import Stage

_CODE = {".py", ".so", ".pyd"}


def code_digest(stage: Stage, package: str) -> str:
    """SHA-256 of the code of a stage's package, compiled modules too, if that is installed to be edited, else empty.

    For a package that is installed once and for all, its version and the stage's say which code it is.
    """
    return _digest(stage.load.partition(":")[0].partition(".")[0]) if _editable(package) else ""


@cache
def _editable(package: str) -> bool:
    try:
        origin = json.loads(distribution(package).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return False
    return bool(origin.get("dir_info", {}).get("editable"))


@cache
def _digest(module: str) -> str:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return ""
    file = Path(spec.origin)
    inside = file.parent.rglob("*") if spec.submodule_search_locations else [file]
    files = sorted(one for one in inside if one.suffix in _CODE)
    state = hashlib.sha256()
    for one in files:
        state.update(f"{one.relative_to(file.parent)}\0".encode())
        state.update(hashlib.sha256(one.read_bytes()).digest())
    return state.hexdigest()
