"""One run at a time in a folder."""

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from cryoweave.errors import UsageError

LOCK = "run.lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; that of a dead process is taken over.

    The kernel drops the lock with the process that holds it, however that ends. Only children that outlive a killed
    run can still hold it; the process id in the file tells.

    Raises
    ------
    UsageError
        If another run uses the folder.
    """
    path = folder / LOCK
    handle = _acquire(path)
    try:
        handle.truncate(0)
        json.dump({"pid": os.getpid(), "host": socket.gethostname()}, handle)
        handle.flush()
        yield
    finally:
        path.unlink(missing_ok=True)
        handle.close()


def _acquire(path: Path) -> TextIO:
    for _ in range(10):
        try:
            handle = path.open("a+", encoding="utf-8")
        except OSError as error:
            hint = "check the folder's permissions, or choose another with -o"
            raise UsageError(f"cannot write into {path.parent}: {error.strerror}", hint) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _owner(handle)
            handle.close()
            if owner is None or _alive(*owner):
                raise _busy(path, owner) from None
            path.unlink(missing_ok=True)
            continue
        except OSError as error:
            handle.close()
            raise UsageError(
                f"cannot lock {path}: {error.strerror}", "choose a folder on another disk with -o"
            ) from error
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(handle.fileno()).st_ino:
                return handle
        handle.close()  # its owner removed it between our opening and locking
    raise _busy(path, None)


def in_use(folder: Path) -> bool:
    """Whether a run works in the folder at this moment; on another computer, as far as its lock tells."""
    try:
        handle = (folder / LOCK).open(encoding="utf-8")
    except OSError:
        return False
    with handle:
        owner = _owner(handle)
        if owner is not None and owner[1] != socket.gethostname():
            return True
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:  # someone holds it, or the disk knows no locks
            return owner is None or _alive(*owner)
    return False


def _owner(handle: TextIO) -> tuple[int, str] | None:
    try:
        handle.seek(0)
        entry = json.load(handle)
        return int(entry["pid"]), str(entry["host"])
    except (ValueError, KeyError, TypeError):
        return None


def _alive(pid: int, host: str) -> bool:
    if host != socket.gethostname():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _busy(path: Path, owner: tuple[int, str] | None) -> UsageError:
    who = f" (process {owner[0]} on {owner[1]})" if owner else ""
    return UsageError(f"another run{who} uses {path.parent}", "wait for it, stop it, or choose another folder with -o")
