"""Ending early: Ctrl-C, and the signals by which a system ends a program politely."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from cryoweave.cli import console

_ENDINGS, _DEFAULT = (signal.SIGTERM, signal.SIGHUP), signal.SIG_DFL


@contextmanager
def interruptible(hint: str) -> Iterator[None]:
    """A block in which Ctrl-C, SIGTERM and SIGHUP end the program with a message.

    Parameters
    ----------
    hint
        What is lost and what is not.
    """
    kept = {number: signal.signal(number, _interrupt) for number in _ENDINGS if signal.getsignal(number) is _DEFAULT}
    try:
        yield
    except KeyboardInterrupt:
        console.show_error("interrupted", hint)
        raise typer.Exit(console.INTERRUPTED) from None
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
