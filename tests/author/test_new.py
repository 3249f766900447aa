"""``cryoweave plugins new``: every kind is written, tested, checked and used; what cannot be is refused."""

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from cryoweave.author.new import KINDS, new_plugin
from cryoweave.errors import PluginError, UsageError
from cryoweave.host import Program, Registry, registry

pytest.importorskip("copier", reason="copier, which fills in the template, is not installed")
ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples" / "emd2566"
MAP, MODEL = DEMO / "2566_3J6B_9.mrc.gz", DEMO / "3J6B_9.pdb"
USES = {
    "detector": ["run", "its-detector", "-v", MAP, "--set", "points.threshold=0.16"],
    "tracer": ["run", "its-tracer", "-v", MAP, "--set", "points.threshold=0.16"],
    "fitter": ["fit", MODEL, "-v", MAP, "-m", "its-fitter", "-d", "3.2"],
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


@pytest.fixture(scope="module")
def packages(tmp_path_factory, use):
    """One of each kind, all known to Python."""
    home = tmp_path_factory.mktemp("packages")
    author = "Ann Other <ann@example.org>"
    return use(*(new_plugin(f"its-{kind}", kind, home, registry(), author) for kind in KINDS))


@pytest.fixture(params=KINDS)
def kind(request):
    """Each kind; that which calls a program only where the program is."""
    if request.param == "program" and not Program("gemmi", "").check().ok:
        pytest.skip("the program gemmi is not installed: pip install gemmi-program")
    return request.param


@pytest.mark.parametrize("one", KINDS)
def test_its_tests_pass(packages, one):
    done = packages.call("-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider", folder=f"cryoweave-its-{one}")
    assert done.returncode == 0, done.stdout + done.stderr
    passed = int(re.search(r"(\d+) passed", done.stdout)[1])
    assert passed >= (9 if one != "program" or Program("gemmi", "").check().ok else 4), done.stdout


def test_they_are_well(packages):
    found = json.loads(packages.cryoweave("plugins", "doctor", "--json").stdout)
    mine = [entry for entry in found if entry["package"].startswith("cryoweave-its-")]
    assert len(mine) == 5 * 3 + 1
    assert {entry["health"] for entry in mine if "program" not in entry["package"]} == {"ok"}, mine
    assert "broken" not in {entry["health"] for entry in mine}


def test_it_keeps_the_contract(packages, kind):
    done = packages.cryoweave("plugins", "check", f"its-{kind}", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = [one["outcome"] for one in json.loads(done.stdout)]
    assert outcomes.count("ok") >= 9
    assert {*outcomes} <= {"ok", "skipped"}


def test_it_works_on_a_real_map(packages, kind, tmp_path):
    done = packages.cryoweave(*USES[kind], "-o", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / GIVES[kind]).stat().st_size > 100


def test_they_are_clean(packages):
    """As a linter, a formatter and a type checker see them."""
    folders = sorted(packages.home.iterdir())
    for words in (
        ["ruff", "check", "--no-cache", "."],
        ["ruff", "format", "--no-cache", "--check", "."],
        ["mypy", "--config-file", ROOT / "pyproject.toml", *(folder / "src" for folder in folders)],
    ):
        done = packages.call("-m", *words)
        assert done.returncode == 0, done.stdout + done.stderr
    for folder in folders:
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
        assert project["authors"] == [{"name": "Ann Other", "email": "ann@example.org"}]
        texts = [path.read_text("utf-8") for path in folder.rglob("*") if path.suffix in (".py", ".toml", ".md")]
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


def test_a_name_of_ours_is_taken_where_ours_are_not_installed(tmp_path):
    with pytest.raises(UsageError, match="cryoweave-mainmast is one of ours"):
        new_plugin("mainmast", "detector", tmp_path, Registry())


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
    assert "pip install copier" in error.value.hint


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        new_plugin("fine", "detector", tmp_path / "file", registry())
