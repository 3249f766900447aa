"""The HTML report of a run."""

from pathlib import Path


def write_report(folder: Path) -> Path:
    """Write ``report.html`` into a run folder; see `cryoweave.report.page.write_report`."""
    from cryoweave.report import page  # templates, plots and file readers are loaded only when needed

    return page.write_report(folder)


__all__ = ["write_report"]
