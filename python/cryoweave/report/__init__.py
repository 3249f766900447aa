"""The HTML report of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryoweave.report.folder import RunFolder


def read_run(folder: Path, given: Mapping[str, Any] | None = None) -> "RunFolder":
    """What a run folder holds; see `cryoweave.report.folder.read_run`."""
    from cryoweave.report import folder as room  # file readers are loaded only when needed

    return room.read_run(folder, given)


def write_report(folder: Path, run: "RunFolder | None" = None) -> Path:
    """Write ``report.html`` into a run folder; see `cryoweave.report.page.write_report`."""
    from cryoweave.report import page  # templates, plots and file readers are loaded only when needed

    return page.write_report(folder, run)


__all__ = ["read_run", "write_report"]
