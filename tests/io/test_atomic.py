"""A file or folder appears whole or not at all."""

from pathlib import Path

import pytest

from cryoweave.errors import InputError
from cryoweave.io import atomic_file, atomic_folder


def test_a_file_appears_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_file(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == tmp_path
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def _fail(path: Path, error: type[BaseException]) -> None:
    path.write_text("half")
    raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    for maker, name in ((atomic_file, "a.txt"), (atomic_folder, "a")):
        with pytest.raises(error), maker(tmp_path / name) as temporary:
            _fail(temporary if name == "a.txt" else temporary / "half.txt", error)
        assert list(tmp_path.iterdir()) == []


def test_a_folder_replaces_another_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "stage"
    folder.mkdir()
    (folder / "old.txt").write_text("old")
    with atomic_folder(folder) as temporary:
        (temporary / "new.txt").write_text("new")
        assert (folder / "old.txt").exists()
    assert [path.name for path in folder.iterdir()] == ["new.txt"]
    assert list(tmp_path.iterdir()) == [folder]


def test_a_failed_replacement_keeps_the_old_folder(tmp_path: Path) -> None:
    folder = tmp_path / "stage"
    folder.mkdir()
    (folder / "old.txt").write_text("old")
    with pytest.raises(ValueError, match="stop"), atomic_folder(folder):
        raise ValueError("stop")
    assert (folder / "old.txt").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]


def test_no_folder_is_an_input_error(tmp_path: Path) -> None:
    for maker in (atomic_file, atomic_folder):
        with pytest.raises(InputError, match="does not exist"), maker(tmp_path / "none" / "a"):
            pass


def test_a_full_disk_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No space left") as caught, atomic_file(tmp_path / "a"):
        Path("/dev/full").write_text("x")
    assert caught.value.hint
