"""``cryoweave plugins new``: every kind is written, tested, checked and used; what cannot be is refused."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from cryoweave.author.new import KINDS, new_plugin
from cryoweave.errors import PluginError, UsageError
from cryoweave.host import registry

pytest.importorskip("copier", reason="copier, which fills in the template, is not installed")
ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples" / "emd2566"
MAP, MODEL = DEMO / "2566_3J6B_9.mrc.gz", DEMO / "3J6B_9.pdb"
USES = {
    "detector": ["run", "its-detector", "-v", MAP, "--set", "points.threshold=0.16"],
    "tracer": ["run", "its-tracer", "-v", MAP, "--set", "points.threshold=0.16"],
    "fitter": ["fit", MODEL, "-v", MAP, "-m", "its-fitter"],
    "validator": ["validate", MODEL, "-v", MAP, "--only", "its_validator.score"],
    "program": ["run", "its-program", "-v", MAP, "--model", MODEL],
}
GIVES = {
    "detector": "stages/01-points/points.tsv",
    "tracer": "model.cif",
    "fitter": "poses.tsv",
    "validator": "scores.json",
    "program": "model.cif",
}


@pytest.fixture(scope="module", params=KINDS)
def made(request, tmp_path_factory, use):
    """A package of each kind."""
    kind = request.param
    folder = new_plugin(f"its-{kind}", kind, tmp_path_factory.mktemp(kind), registry(), "Ann Other <ann@example.org>")
    made = use(folder)
    made.kind = kind
    if kind == "program" and not shutil.which("gemmi", path=f"{Path(sys.executable).parent}"):
        made.lacks = "the program gemmi is not installed: pip install gemmi-program"
    return made


def needs_its_program(made):
    if hasattr(made, "lacks"):
        pytest.skip(made.lacks)


def test_its_tests_pass(made):
    done = made.tests()
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= (4 if hasattr(made, "lacks") else 9), done.stdout


def test_it_is_well(made):
    needs_its_program(made)
    found = json.loads(made.cryoweave("plugins", "doctor", "--json").stdout)
    mine = [entry for entry in found if entry["package"] == f"cryoweave-its-{made.kind}"]
    assert {entry["what"] for entry in mine} >= {"plugin", "stage", "recipe"}
    assert {entry["health"] for entry in mine} == {"ok"}, mine


def test_it_keeps_the_contract(made):
    needs_its_program(made)
    done = made.cryoweave("plugins", "check", f"its-{made.kind}", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [one["outcome"] for one in json.loads(done.stdout)].count("ok") >= 9
    assert {one["outcome"] for one in json.loads(done.stdout)} <= {"ok", "skipped"}


def test_it_works_on_a_real_map(made, tmp_path):
    needs_its_program(made)
    done = made.cryoweave(*USES[made.kind], "-o", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / GIVES[made.kind]).stat().st_size > 100


def test_it_is_clean(made):
    """As a linter, a formatter and, for one kind, a type checker see it."""
    for words in (["check"], ["format", "--check"]):
        done = made.call("-m", "ruff", *words, "--no-cache", ".")
        assert done.returncode == 0, done.stdout + done.stderr
    settings = (made.folder / "pyproject.toml").read_text("utf-8")
    assert tomllib.loads(settings)["project"]["authors"] == [{"name": "Ann Other", "email": "ann@example.org"}]
    texts = [path.read_text("utf-8") for path in made.folder.rglob("*") if path.suffix in (".py", ".toml", ".md")]
    assert not [text for text in texts if "{{" in text or "{%" in text]


def test_its_wheel_holds_what_it_needs(tmp_path):
    """Built as a publisher would, without the net."""
    pytest.importorskip("hatchling", reason="hatchling, which builds the package, is not installed")
    folder = new_plugin("its-wheel", "validator", tmp_path, registry())
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", tmp_path, folder],
        capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        points = wheel.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    assert {f"cryoweave_its_wheel/{name}" for name in ("plugin.py", "score.py", "recipe.toml")} <= {*names}
    assert "its-wheel = cryoweave_its_wheel.plugin" in points


@pytest.mark.parametrize("name", ["", "2fast", "Strong", "a--b", "a_b", "a/b", "../b", "peäks", "class", "x" * 41])
def test_a_name_that_cannot_be(name, tmp_path):
    with pytest.raises(UsageError, match="cannot be a plugin's name"):
        new_plugin(name, "detector", tmp_path, registry())
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", ["basics", "cryoweave-basics", "peaks", "mainmast-plus"])
def test_a_name_that_is_taken_by_plugin_package_stage_or_recipe(name, tmp_path):
    with pytest.raises(UsageError, match="is taken") as error:
        new_plugin(name, "detector", tmp_path, registry())
    assert error.value.hint


def test_a_kind_and_an_author_that_cannot_be(tmp_path):
    with pytest.raises(UsageError, match="kind 'stage'") as error:
        new_plugin("fine", "stage", tmp_path, registry())
    assert "validator" in error.value.hint
    for author in ('Ann "A"', "Ann <>", "a\nb", "<not an address>"):
        with pytest.raises(UsageError, match="author"):
            new_plugin("fine", "detector", tmp_path, registry(), author)


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "cryoweave-fine").mkdir()
    with pytest.raises(UsageError, match="there already"):
        new_plugin("fine", "detector", tmp_path, registry())
    assert not [*(tmp_path / "cryoweave-fine").iterdir()]


def test_without_copier_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "copier", None)
    with pytest.raises(PluginError, match="copier") as error:
        new_plugin("fine", "detector", tmp_path, registry())
    assert "cryoweave[author]" in error.value.hint


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        new_plugin("fine", "detector", tmp_path / "file", registry())
