import pytest

from cryoweave import report


@pytest.fixture
def quick_report(monkeypatch):
    """A report that costs nothing; the real one is in the tests that start the program."""

    def write(folder, run=None):
        assert (folder / "record.json").is_file()
        (folder / "report.html").write_text("<html></html>")
        return folder / "report.html"

    monkeypatch.setattr(report, "write_report", write)


@pytest.fixture
def files(toy_files):
    """A map, a FASTA file and a reference model."""
    return toy_files


@pytest.fixture
def environment(toy_environment):
    """Environment of a process in which the toys are an installed package."""
    return toy_environment


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """The names of the toy stages that ran since the last call."""
    path = tmp_path / "calls.txt"
    monkeypatch.setenv("TOY_CALLS", str(path))

    def since():
        names = path.read_text().split() if path.exists() else []
        path.write_text("")
        return names

    return since
