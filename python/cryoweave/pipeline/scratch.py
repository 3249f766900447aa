"""What a run has in its folder for a while only, and what a killed one left of it."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryoweave.pipeline.outputs import UNFINISHED, remove_outputs

SCRATCH = ".scratch-"


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """A folder in the run folder that is gone after the block."""
    scratch = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=folder))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def clean(folder: Path, keep_outputs: bool) -> None:
    """Remove what a killed run left half-done, and outputs that no run calls its own."""
    (folder / "stages").mkdir(exist_ok=True)
    for left in (*folder.glob(f"{SCRATCH}*"), *folder.glob(".*.tmp"), *(folder / "stages").glob(".*.tmp")):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
    if not keep_outputs:
        remove_outputs(folder)
    (folder / UNFINISHED).unlink(missing_ok=True)
