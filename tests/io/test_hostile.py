"""Files that no reader should trust."""

import tracemalloc
from pathlib import Path

import pytest

from cryoweave.errors import CryoweaveError
from cryoweave.io import inspect_map, read_map, read_models, read_sequences
from cryoweave.testing.hostile import hostile_files

READERS = {"map": read_map, "model": read_models, "sequence": read_sequences}


@pytest.mark.timeout(120)
def test_hostile_files_are_read_or_refused(tmp_path: Path) -> None:
    names = set()
    refused = 0
    unclear = []
    tracemalloc.start()
    for case in hostile_files():
        names.add(case.name)
        path = case.write(tmp_path)
        for reader in (READERS[case.kind], *((inspect_map,) if case.kind == "map" else ())):
            tracemalloc.reset_peak()
            try:
                reader(path)
            except CryoweaveError as error:
                refused += 1
                if path.name not in str(error) or not error.hint or "\n" in str(error):
                    unclear.append((case.name, str(error)))
            assert tracemalloc.get_traced_memory()[1] < 64 << 20, case.name
        assert list(tmp_path.iterdir()) == [path], case.name
        path.unlink()
    tracemalloc.stop()
    assert unclear == []
    assert len(names) >= 500
    assert refused > 400


@pytest.mark.parametrize("kind", ["map", "model", "sequence"])
def test_what_the_cases_are_made_from_can_be_read(tmp_path: Path, kind: str) -> None:
    """Otherwise each case would be refused for the wrong reason."""
    names = {"map": ["map-start-0-0"], "model": ["model-pdb-gz-not-packed", "model-cif-gz-not-packed"],
             "sequence": ["sequence-fasta-gz-not-packed"]}  # fmt: skip
    cases = {case.name: case for case in hostile_files()}
    for name in names[kind]:
        READERS[kind](cases[name].write(tmp_path))


def test_the_same_seed_gives_the_same_files() -> None:
    assert list(hostile_files(1)) == list(hostile_files(1))
    assert list(hostile_files(1)) != list(hostile_files(2))
