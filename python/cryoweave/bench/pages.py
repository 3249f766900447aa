"""The files of a bench that people open: its table and its page, and those of the bench before."""

from collections.abc import Sequence
from pathlib import Path

from cryoweave.bench.board import Before, board_of
from cryoweave.bench.results import RESULTS, read_results, read_table, write_results
from cryoweave.report.leaderboard import Board, write

PAGE, EARLIER = "report.html", "results-before.tsv"


def write_pages(
    folder: Path, metrics: Sequence[str] = (), show: str = "", since: Path | None = None
) -> tuple[Board, Path]:
    """Read all cells again; write ``results.tsv`` and ``report.html``.

    What ``results.tsv`` said before is kept as ``results-before.tsv`` if it said something else, and compared with.

    Parameters
    ----------
    folder
        The bench's.
    metrics, show
        As for `board_of`.
    since
        Folder of another bench, or its table, to compare with instead.

    Returns
    -------
    The board, and the path of the page.

    Raises
    ------
    UsageError
        If the folder holds no bench, or a metric or target does not exist.
    InputError
        If the earlier table cannot be read, or the files cannot be written.
    """
    results = read_results(folder)
    old, new = folder / RESULTS, folder / f".{RESULTS}.new"
    write_results(results, new)
    if old.is_file() and old.read_bytes() != new.read_bytes():
        old.replace(folder / EARLIER)
    new.replace(old)
    before, name = _before(folder, since)
    board = board_of(results, metrics, show=show, before=before, since=name)
    return board, write(folder / PAGE, board)


def _before(folder: Path, since: Path | None) -> tuple[Before | None, str]:
    if since is not None:
        return read_table(since / RESULTS if since.is_dir() else since), str(since)
    kept = folder / EARLIER
    if not kept.is_file():
        return None, ""
    return read_table(kept), f"what {EARLIER} says"
