"""What becomes of errors of the machine."""

import errno
import os

import pytest

from cryoweave.cli import console


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.EACCES, "permissions"),
        (errno.EPERM, "permissions"),
        (errno.EROFS, "cannot be written"),
        (errno.ENOSPC, "make room"),
        (errno.EDQUOT, "make room"),
        (errno.EMFILE, "ulimit"),
    ],
)
def test_the_hint_fits_what_the_machine_refused(capsys, number, hint):
    def refused():
        raise OSError(number, os.strerror(number), "a/map.mrc")

    assert console.guard(refused) == 1
    error, advice = capsys.readouterr().err.splitlines()
    assert error == f"error: a/map.mrc: {os.strerror(number)}"
    assert hint in advice
    assert ("room" in advice) == (hint == "make room")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), (float("nan"), "-"), (15820.0, "15820"), (3.0, "3"), (0.0, "0"), (-4.0, "-4"), (0.123456, "0.1235"),
        (15820.4, "15820"), (1234.56, "1235"), (2e-7, "2e-07"), (float("inf"), "inf"), (1e20, "1e+20"),
    ],
)  # fmt: skip
def test_figures_are_short_and_counts_whole(value, text):
    assert console.number(value) == text
