"""Opening files whatever they are compressed with: the content decides, not the suffix."""

import bz2
import gzip
import logging
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

from cryoweave.errors import InputError

log = logging.getLogger("cryoweave.io")

Compression = Literal["", "gzip", "bzip2"]

TEXT_LIMIT = 2 << 30
"""No text file of the field is larger than this once unpacked."""

_CHUNK = 1 << 20

_OPENERS: dict[Compression, Callable[[Path, str], Any]] = {"": Path.open, "gzip": gzip.open, "bzip2": bz2.open}


def compression_of(path: Path) -> Compression:
    """What a file is compressed with, told by its first bytes."""
    with _os_errors(path), path.open("rb") as stream:
        start = stream.read(3)
    if start[:2] == b"\x1f\x8b":
        return "gzip"
    return "bzip2" if start == b"BZh" else ""


@contextmanager
def open_content(path: Path) -> Iterator[BinaryIO]:
    """The unpacked content of a file as a stream.

    Raises
    ------
    InputError
        If there is no such file, it cannot be read, or its compressed stream is damaged or ends early.
    """
    compression = compression_of(path)
    with _os_errors(path), _OPENERS[compression](path, "rb") as stream:
        yield stream


def read_content(path: Path, limit: int = TEXT_LIMIT) -> bytes:
    """All of a file, unpacked; an error if it holds more than ``limit`` bytes."""
    content = bytearray()
    with open_content(path) as stream:
        while chunk := stream.read(_CHUNK):
            content += chunk
            if len(content) > limit:
                raise InputError(f"{path} holds more than {limit} bytes once unpacked", "is it the right file?")
    return bytes(content)


@contextmanager
def _os_errors(path: Path) -> Iterator[None]:
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a file", "give the path of a file")
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist", "check the path's spelling") from error
    except (EOFError, zlib.error) as error:
        raise InputError(f"{path} ends early or is damaged: {error}", "download or copy it again") from error
    except gzip.BadGzipFile as error:
        raise InputError(f"{path} is a damaged gzip file: {error}", "download or copy it again") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", "is the file complete?") from error
