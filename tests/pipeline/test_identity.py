"""What decides whether a kept result serves again."""

from pathlib import Path

from cryoweave.data import DensityMap
from cryoweave.host import Kind, Params, Stage, Step, param
from cryoweave.pipeline.cache import identify
from cryoweave.pipeline.wiring import WiredStep


class FileParams(Params):
    table: Path | None = param(None, "A file.")
    tables: dict[str, Path] = param({}, "Files by name.")


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


def test_files_of_a_table_and_of_a_folder_count_too(tmp_path):
    path = tmp_path / "table.txt"
    path.write_text("one")
    by_name, folder = identity_of(tables={"CA": path, "N": tmp_path / "nowhere"}), identity_of(table=tmp_path)
    assert set(by_name.inputs) == {"density", "file tables CA"}
    assert set(folder.inputs) == {"density", "file table table.txt"}
    path.write_text("two")
    assert identity_of(tables={"CA": path, "N": tmp_path / "nowhere"}).key() != by_name.key()
    assert identity_of(table=tmp_path).key() != folder.key()
    before = identity_of(table=tmp_path).key()
    (tmp_path / "more.txt").write_text("more")
    assert identity_of(table=tmp_path).key() != before
