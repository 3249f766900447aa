"""What decides whether a kept result serves again."""

import json
from pathlib import Path

import pytest

from cryoweave.data import DensityMap
from cryoweave.host import Kind, Params, Stage, Step, param
from cryoweave.pipeline import code
from cryoweave.pipeline.cache import identify
from cryoweave.pipeline.wiring import WiredStep


class FileParams(Params):
    table: Path | None = param(None, "A file.")
    tables: dict[str, Path] = param({}, "Files by name.")


STAGE = Stage(
    "a.b", Kind.PREPARE, "Reads a file.", "nowhere:read", {"density": DensityMap}, DensityMap, params=FileParams
)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a package of one function, to be edited or not; each call is a process that has seen nothing yet."""

    def install(text, *, editable):
        module, facts = tmp_path / "own_plugin", tmp_path / "own_plugin-1.0.dist-info"
        for folder in (module, facts):
            folder.mkdir(exist_ok=True)
        (module / "work.py").write_text(text)
        (module / "__init__.py").touch()
        (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: own-plugin\nVersion: 1.0\n")
        (facts / "direct_url.json").write_text(json.dumps({"url": "file:///x", "dir_info": {"editable": editable}}))
        code._editable.cache_clear()
        code._digest.cache_clear()
        stage = Stage("own.read", Kind.PREPARE, "", "own_plugin.work:read", {"density": DensityMap}, DensityMap)
        step = WiredStep(Step("own.read", "read"), stage, "own-plugin", Params(), {"density": "input.density"})
        return identify(step, {"input.density": "d"}, 0)

    monkeypatch.syspath_prepend(tmp_path)
    yield install
    code._editable.cache_clear()
    code._digest.cache_clear()


def test_code_that_is_being_edited_counts(installed):
    first, same, changed = (installed(text, editable=True) for text in ("one", "one", "two"))
    assert first.key() == same.key() != changed.key()
    assert changed.difference({**vars(first)}) == "the code of own-plugin changed"


def test_code_that_is_installed_for_good_has_its_version(installed):
    assert installed("one", editable=False).key() == installed("two", editable=False).key()


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
