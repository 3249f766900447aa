"""Results that are kept: a stage's folder serves again as long as nothing that made it has changed."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryoweave.errors import CryoweaveError, StageError
from cryoweave.pipeline.code import code_digest
from cryoweave.pipeline.inputs import file_digest
from cryoweave.pipeline.wiring import WiredStep
from cryoweave.pipeline.words import NEVER_RAN, STAGE_FILE

CHANGED_FILES = "its files changed"


@dataclass(frozen=True)
class Identity:
    """All that decides what a stage gives.

    Parameters
    ----------
    stage, version, package
        Which code.
    params
        All parameters, in JSON's types.
    inputs
        Digest of each input's value by the input's name, and of each file that a parameter names.
    seed
        Seed of the run.
    code
        Digest of the package's code if that is installed to be edited.
    """

    stage: str
    version: int
    package: str
    params: Mapping[str, Any]
    inputs: Mapping[str, str]
    seed: int
    code: str = ""

    def key(self) -> str:
        """SHA-256 over everything, in hexadecimal digits."""
        text = json.dumps(asdict(self), sort_keys=True, ensure_ascii=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def difference(self, old: Mapping[str, Any]) -> str:
        """The first thing in which a kept result's identity differs, as a reason for people."""
        now = asdict(self)
        for name in ("stage", "package", "version", "seed"):
            if now[name] != old.get(name):
                return f"the {name} changed from {old.get(name)} to {now[name]}"
        if self.code != old.get("code", ""):
            return f"the code of {self.package} changed"
        for group, word in (("params", "parameter"), ("inputs", "input")):
            was = old.get(group, {})
            for name, value in now[group].items():
                if name not in was or was[name] != value:
                    values = f" from {was.get(name)} to {value}" if group == "params" else ""
                    return f"its {word} {name} changed{values}"
            for name in set(was) - set(now[group]):
                return f"it no longer has the {word} {name}"
        return CHANGED_FILES


KEPT = "nothing changed"
"""Why a step is not run again."""


@dataclass(frozen=True, eq=False)
class Kept:
    """A result as it lies on disk.

    Parameters
    ----------
    value
        Read back from the folder.
    digest
        Digest of the value.
    entry
        What ``stage.json`` holds: key, digest, identity, seconds, facts.
    """

    value: Any
    digest: str
    entry: Mapping[str, Any]


def identify(step: WiredStep, digests: Mapping[str, str], seed: int) -> Identity:
    """What decides a step's result; ``digests`` holds that of each value by its source."""
    return Identity(
        stage=step.stage.id,
        version=step.stage.version,
        package=step.package,
        params=step.params.model_dump(mode="json"),
        inputs={name: digests[source] for name, source in step.sources.items()} | _files(step),
        seed=seed,
        code=code_digest(step.stage, step.package),
    )


def _files(step: WiredStep) -> dict[str, str]:
    """Digests of the files that parameters name; one that is not there is for the stage to complain of.

    A parameter may be a path, a table of paths, or a folder, of which the files that lie in it count.
    """
    paths: dict[str, Path] = {}
    for name, value in step.params:
        table = value if isinstance(value, Mapping) else {"": value}
        paths |= {f"{name} {key}".strip(): one.expanduser() for key, one in table.items() if isinstance(one, Path)}
    for name, folder in [entry for entry in paths.items() if entry[1].is_dir()]:
        paths |= {f"{name} {one.name}": one for one in sorted(folder.iterdir())}
    return {f"file {name}": file_digest(path) for name, path in paths.items() if path.is_file()}


def recall(folder: Path, identity: Identity, gives: type, budget: float | None = None) -> Kept | str:
    """The kept result in a folder, or the reason why it does not serve.

    One that a run's time budget cut short serves runs that have no more seconds.
    """
    from cryoweave.io import store

    try:
        entry = json.loads((folder / STAGE_FILE).read_bytes())
        key, digest, old = entry["key"], entry["digest"], entry["identity"]
    except FileNotFoundError:
        return CHANGED_FILES if folder.exists() else NEVER_RAN
    except (OSError, ValueError, KeyError, TypeError):
        return CHANGED_FILES
    if key != identity.key():
        return identity.difference(old)
    if (cut := entry.get("budget")) is not None and (budget is None or budget > cut):
        return f"a time budget of {cut:g} s cut it short"
    try:
        value: Any = store.load(gives, folder)
        found = store.digest(value)
    except CryoweaveError:
        return CHANGED_FILES
    return Kept(value, digest, entry) if found == digest else CHANGED_FILES


def look_up(
    folder: Path | None,
    lenders: Iterable[Path],
    identity: Identity,
    gives: type,
    budget: float | None = None,
    take: bool = True,
) -> tuple[Kept | str, str]:
    """The result in a step's folder, or else in that of a step of another run that ran alike, and why it is used.

    Without one, twice the reason why that in the folder does not serve. Another run's is put into the folder, without
    a second copy on the disk where that can be, unless it is only looked for.
    """
    found = recall(folder, identity, gives, budget) if folder else "new run"
    if isinstance(found, Kept):
        return found, KEPT
    source = _lender(lenders, identity)
    if source is None:
        return found, found
    if take and folder:
        _copy(source, folder)
    lent = recall(folder if take and folder else source, identity, gives, budget)
    return (lent, f"taken from {source}") if isinstance(lent, Kept) else (found, found)


def _lender(runs: Iterable[Path], identity: Identity) -> Path | None:
    for file in (file for run in runs for file in sorted(run.glob(f"stages/*/{STAGE_FILE}"))):
        with suppress(OSError, ValueError, KeyError, TypeError):
            if json.loads(file.read_bytes())["key"] == identity.key():
                return file.parent
    return None


def _copy(source: Path, folder: Path) -> None:
    from cryoweave.io.atomic import atomic_folder

    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(folder) as temporary:
        shutil.copytree(source, temporary, copy_function=_linked, dirs_exist_ok=True)


def _linked(source: str, target: str) -> None:
    # Results are replaced whole and never changed in place, so two runs can share their files.
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def keep(folder: Path, identity: Identity, value: Any, gives: type, measured: Mapping[str, Any]) -> Kept:
    """Write a result into its folder, which appears whole or not at all, and read it back.

    What comes back is what later runs will read, so that a fresh and a resumed run go on with the same value.
    """
    from cryoweave.io import store
    from cryoweave.io.atomic import atomic_folder

    with atomic_folder(folder) as temporary:
        store.save(value, temporary)
        try:
            read_back: Any = store.load(gives, temporary)
        except CryoweaveError as error:
            raise StageError(f"what {identity.stage} gave cannot be written and read back: {error}") from error
        digest = store.digest(read_back)
        entry = {"key": identity.key(), "digest": digest, "identity": asdict(identity), **measured}
        (temporary / STAGE_FILE).write_text(json.dumps(entry, indent=1, ensure_ascii=False), encoding="utf-8")
    return Kept(read_back, digest, entry)
