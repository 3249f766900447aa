"""What must not be imported before it is used."""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "gemmi",
    "mrcfile",
    "pandas",
    "matplotlib",
    "jinja2",
    "pydantic",
    "numpy",
    "typer",
    "rich",
    "torch",
    "ortools",
    "scipy",
}


def imported(code):
    line = f"{code}\nimport sys, json; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("code", ["import cryoweave", "import cryoweave; cryoweave.__version__; dir(cryoweave)"])
def test_the_package_is_light(code):
    assert imported(code) & HEAVY == set()


def test_help_is_light():
    code = (
        "import sys; sys.argv = ['cryoweave', '--help']\n"
        "from cryoweave.cli.main import main\n"
        "try: main()\nexcept SystemExit: pass"
    )
    assert imported(code) & (HEAVY - {"numpy", "pydantic", "typer", "rich"}) == set()


def test_all_names_are_there():
    import cryoweave

    assert {
        name: callable(getattr(cryoweave, name)) for name in cryoweave.__all__ if name != "__version__"
    } == dict.fromkeys(("load_map", "load_model", "load_sequences", "plan", "run", "run_stage"), True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = cryoweave.nothing
