"""A file or folder appears whole or not at all."""

import os
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


def test_what_a_folder_holds_is_on_the_disk_before_it_appears_and_synced_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    early: list[bool] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        early.append(not (tmp_path / "a").exists())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with atomic_folder(tmp_path / "a") as folder:
        with atomic_file(folder / "one.txt") as file:
            file.write_text("1")
        with atomic_folder(folder / "b") as inner, atomic_file(inner / "two.txt") as file:
            file.write_text("2")
        (folder / "three.txt").write_text("3")
        assert not synced
    there = [path.stat().st_ino for path in (tmp_path / "a").rglob("*")]
    assert sorted(synced) == sorted(there)
    assert all(early)
    synced.clear()
    with atomic_file(tmp_path / "four.txt") as file:
        file.write_text("4")
    assert len(synced) == 1, "outside of a folder a file is synced by itself"
