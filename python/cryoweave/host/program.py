"""Command-line programs that plugins call."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cryoweave.errors import StageError
from cryoweave.host.context import POLL, Context
from cryoweave.host.records import CheckResult


@dataclass(frozen=True)
class Program:
    """A program of somebody else's, found on the user's path or beside Python.

    Parameters
    ----------
    name
        As typed.
    get
        How to get it; the hint of every error that says it is missing.
    version
        Arguments with which it prints its version, e.g. ``("--version",)``; the first line is then a finding in the
        record of every run. Empty if it has none.
    """

    name: str
    get: str
    version: tuple[str, ...] = ()

    def check(self) -> CheckResult:
        """Whether it is there; what a plugin's ``Check`` loads."""
        path = self._path()
        if path is None:
            return CheckResult(False, f"the program {self.name} is not found", self.get)
        return CheckResult(True, f"{self.name} is {path}")

    def call(self, arguments: Sequence[str | int | float | Path], ctx: Context, *, limit: float) -> str:
        """Run it in the stage's scratch folder, until it ends, the time is up, or the run is to stop.

        Parameters
        ----------
        arguments
            After the program's name. A path that begins with a dash would be an option: give whole paths.
        ctx
            Of the stage. The program and all that it started are ended when ``ctx.progress`` says to stop.
        limit
            Seconds that it may take.

        Returns
        -------
        What it wrote to its standard output and error, together.

        Raises
        ------
        StageError
            If it is not there, fails (the message has its last line), or takes too long.
        """
        found = self.check()
        if not found.ok:
            raise StageError(found.message, found.hint)
        if self.version:
            said, failed = self._run(self.version, ctx, min(limit, 60.0))
            ctx.note(f"{self.name} version", "unknown" if failed else _line(said, 0))
        said, code = self._run([str(part) for part in arguments], ctx, limit)
        if code:
            what = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
            raise StageError(
                f"{self.name} {what}: {_line(said, -1)}", f"its input may not suit it; all it said: {_keep(said)}"
            )
        return said

    def _path(self) -> str | None:
        """On the path, or beside Python: that of an environment that is used without being activated."""
        return shutil.which(self.name) or shutil.which(self.name, path=str(Path(sys.executable).parent))

    def _run(self, arguments: Sequence[str], ctx: Context, limit: float) -> tuple[str, int]:
        ctx.log.info("%s %s", self.name, " ".join(arguments))
        begun = time.monotonic()
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [self._path() or self.name, *arguments],
                cwd=ctx.scratch,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                while process.poll() is None:
                    ctx.progress(0, 0)
                    if time.monotonic() - begun > limit:
                        raise StageError(
                            f"{self.name} took longer than {limit:g} s", "give it more time, or less to do"
                        )
                    _wait(process)
            finally:
                _end(process)
            return _text(said), process.returncode


def _wait(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(POLL)
    except subprocess.TimeoutExpired:
        return


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End what still runs of it and of what it started, also when it has ended itself."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def _line(said: str, which: int) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[which] if lines else "it says nothing"


def _keep(said: str) -> str:
    """A file with all that it said, for the scratch folder is gone when the user reads the error."""
    with tempfile.NamedTemporaryFile("w", prefix="cryoweave-program-", suffix=".txt", delete=False) as file:
        file.write(said)
    return file.name
