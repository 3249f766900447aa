"""Writing so that a reader sees the whole file or none: to a temporary name beside it, then renamed."""

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from cryoweave.errors import InputError

_FILLED: ContextVar[tuple[Path, ...]] = ContextVar("filled", default=())
"""Temporary folders of the `atomic_folder` blocks that are open."""


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """A temporary path in the same folder; it takes the final name when the block ends well.

    Parameters
    ----------
    path
        Where the file shall be; an existing one is replaced.

    Yields
    ------
    Path
        Write here. If the block raises, the temporary file is removed and ``path`` stays as it was.

    Raises
    ------
    InputError
        If the folder does not exist or cannot be written, or the disk is full.
    """
    path = Path(path)
    temporary = _temporary_beside(path)
    try:
        with _os_errors(path):
            yield temporary
            _sync([temporary])
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """A temporary folder beside ``path`` that takes its name when the block ends well.

    Parameters
    ----------
    path
        Where the folder shall be; an existing one is replaced as a whole.

    Yields
    ------
    Path
        An empty folder to fill. If the block raises, it is removed and ``path`` stays as it was.

    Raises
    ------
    InputError
        As for `atomic_file`.
    """
    path = Path(path)
    temporary = _temporary_beside(path)
    replaced = _temporary_beside(path)
    try:
        with _os_errors(path):
            temporary.mkdir()
            with _filled(temporary):
                yield temporary
            _sync(temporary.rglob("*"))
            if path.exists():
                path.replace(replaced)  # a folder cannot be renamed onto one that holds files
            temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if path.exists():
            shutil.rmtree(replaced, ignore_errors=True)
        elif replaced.exists():
            replaced.replace(path)


def _temporary_beside(path: Path) -> Path:
    if not path.parent.is_dir():
        raise InputError(f"cannot write {path}: the folder {path.parent} does not exist", "make the folder first")
    return path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.tmp")


@contextmanager
def _filled(folder: Path) -> Iterator[None]:
    token = _FILLED.set((*_FILLED.get(), folder))
    try:
        yield
    finally:
        _FILLED.reset(token)


def _sync(paths: Iterable[Path]) -> None:
    """Have the disk hold files, but for those in a folder that is being filled: these are synced with it, once."""
    for path in paths:
        if any(folder in path.parents for folder in _FILLED.get()):
            continue
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _os_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "free some space, check the folder's permissions or write elsewhere"
        raise InputError(f"cannot write {path}: {error.strerror or error}", hint) from error
