"""What to do about errors of the machine: permissions, room, open files."""

from errno import EACCES, EDQUOT, EMFILE, ENOSPC, EPERM, EROFS

from cryoweave.errors import CryoweaveError

_ALLOWED = "check the permissions of this file and of the folders that it lies in (ls -l), or choose another"
_ROOM = "make room, or choose another folder"
HINTS = {
    EACCES: _ALLOWED,
    EPERM: _ALLOWED,
    EROFS: "this disk cannot be written: choose another folder",
    ENOSPC: _ROOM,
    EDQUOT: _ROOM,
    EMFILE: "raise the limit of open files (ulimit -n)",
}
"""By the error's number."""


def hint_of(error: CryoweaveError) -> str:
    """The error's hint; where the machine refused something, the one that fits what it said."""
    cause = error.__cause__
    return HINTS.get(cause.errno or 0, error.hint) if isinstance(cause, OSError) else error.hint
