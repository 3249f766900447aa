"""What decides whether a kept result serves again."""

from pathlib import Path

from cryoweave.data import DensityMap
from cryoweave.host import Kind, Params, Stage, Step, param
from cryoweave.pipeline.cache import identify
from cryoweave.pipeline.wiring import WiredStep


class FileParams(Params):
    table: Path | None = param(None, "A file.")


STAGE = Stage(
    "a.b", Kind.PREPARE, "Reads a file.", "nowhere:read", {"density": DensityMap}, DensityMap, params=FileParams
)


def identity_of(**params):
    step = WiredStep(Step("a.b", "b"), STAGE, "p", FileParams(**params), {"density": "input.density"})
    return identify(step, {"input.density": "d"}, 0)


def test_a_file_that_is_a_parameter_counts_by_its_content(tmp_path):
    path = tmp_path / "table.txt"
    assert identity_of().inputs == {"density": "d"}
    assert identity_of(table=path).inputs == {"density": "d"}
    path.write_text("one")
    first = identity_of(table=path)
    assert identity_of(table=path).key() == first.key()
    path.write_text("two")
    second = identity_of(table=path)
    assert second.key() != first.key()
    assert second.difference({**vars(first)}) == "its input file table changed"
