"""Each line of code in its room: who may import whom, what is said where, how long things are."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOUSE = ROOT / "python" / "cryoweave"
PLUGINS = ROOT / "plugins"

MAY_IMPORT = {
    "errors": set(),
    "data": {"errors"},
    "io": {"errors", "data"},
    "kernels": {"errors", "data", "_core"},
    "host": {"errors", "data"},
    "pipeline": {"errors", "data", "io", "kernels", "host", "report"},
    "report": {"errors", "data", "io", "kernels", "host"},
    "bench": {"errors", "data", "io", "kernels", "host", "pipeline", "report"},
    "cli": {"errors", "data", "io", "kernels", "host", "pipeline", "report", "bench", "author"},
    "testing": {"errors", "data", "io", "kernels", "host"},
    "author": {"errors", "data", "kernels", "host", "testing"},
    "plugins": {"errors", "data", "io", "kernels", "host", "testing"},
    "command": {"errors", "data", "io", "kernels", "host", "pipeline", "report", "bench", "cli"},
}
ALSO = {("pipeline/execute.py", "_core"): "tells the kernels how many threads a run has"}
ONLY_IN = {
    "gemmi": {"io", "plugins"},
    "mrcfile": {"io"},
    "pluggy": {"host"},
    "typer": {"cli", "command"},
    "rich": {"cli"},
    "jinja2": {"report"},
    "matplotlib": {"report"},
    "pytest": set(),
    "copier": {"author"},
    "torch": {"plugins", "io", "kernels"},
    "ortools": {"plugins"},
    "openmm": {"plugins"},
    "psutil": {"bench"},
    "distributed": {"bench"},
    "dask_jobqueue": {"bench"},
}
METHODS = re.compile(
    r"buccaneer|pathwalk|mainmast|deeptracer|tasser|modelangelo|emodelx|cryo2struct|emrna|cryoread|smartfold|situs"
    r"|fitmap|gmfit|vesper|embuild|cryoalign|demo-?em|domainfit|diffmodeler|lzerd|\bdaq\b",
    re.IGNORECASE,
)

FILES = sorted(HOUSE.rglob("*.py"))
PLUGIN_FILES = sorted(PLUGINS.glob("*/src/**/*.py"))
RUST = sorted((ROOT / "rust").glob("*/src/**/*.rs"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} imports relatively"
            plain = node.module or ""
            yield from (f"{plain}.{alias.name}" for alias in node.names) if plain == "cryoweave" else [plain]


def room_of(path: Path) -> str:
    if path.is_relative_to(PLUGINS):
        # A plugin's command is a floor above its stages: it may do what the house's own commands do.
        return "command" if path.stem.endswith("_app") else "plugins"
    return path.relative_to(HOUSE).parts[0].removesuffix(".py")


def faults(path: Path, room: str) -> Iterator[str]:
    for module in imports(path):
        top, *rest = module.split(".")
        if top in ONLY_IN and room not in ONLY_IN[top]:
            yield f"imports {top}, which only {sorted(ONLY_IN[top])} may"
        if top == "cryoweave" and room != "__init__":
            wanted = rest[0]
            excused = any(name_of(path).endswith(file) and wanted == other for file, other in ALSO)
            if wanted != room and wanted not in MAY_IMPORT[room] and not excused:
                yield f"imports cryoweave.{wanted}, which {room} may not"


@pytest.mark.parametrize("path", [*FILES, *PLUGIN_FILES], ids=name_of)
def test_a_file_imports_only_what_its_room_may(path):
    assert not list(faults(path, room_of(path)))


@pytest.mark.parametrize("path", PLUGIN_FILES, ids=name_of)
def test_a_plugin_never_imports_another(path):
    own = path.relative_to(PLUGINS).parts[2]
    others = {module.split(".")[0] for module in imports(path) if module.startswith("cryoweave_")}
    assert others <= {own}


def test_the_rules_catch_a_fault():
    runner, commands = HOUSE / "pipeline" / "run.py", HOUSE / "cli" / "main.py"
    assert any("cryoweave.host" in fault for fault in faults(runner, "data"))
    assert any("typer" in fault for fault in faults(commands, "io"))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_method_has_its_name_in_the_house(path):
    found = METHODS.search(path.read_text(encoding="utf-8"))
    assert found is None, f"{found}: methods live in plugins/"


@pytest.mark.parametrize("path", [*FILES, *PLUGIN_FILES], ids=name_of)
def test_only_the_command_line_prints(path):
    if room_of(path) == "cli":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        printed = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        streamed = isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr") and room_of(path) != "plugins"
        assert not printed, f"line {getattr(node, 'lineno', '?')} prints"
        assert not streamed, f"line {getattr(node, 'lineno', '?')} names a stream"


def body_lines(function: ast.FunctionDef) -> int:
    """Lines from the first statement after the docstring to the end."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", [*FILES, *PLUGIN_FILES], ids=name_of)
def test_files_and_functions_are_short(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    assert not {f.name: body_lines(f) for f in functions if body_lines(f) > 40}


@pytest.mark.parametrize("path", RUST, ids=name_of)
def test_rust_files_are_short_and_safe(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 500
    assert not re.search(r"\bunsafe\b", re.sub(r"//.*", "", text))


def test_rust_forbids_unsafe_code_everywhere():
    import tomllib

    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["workspace"]
    assert workspace["lints"]["rust"]["unsafe_code"] == "forbid"
    crates = sorted((ROOT / "rust").glob("*/Cargo.toml"))
    assert len(crates) >= 2
    assert all(tomllib.loads(crate.read_text(encoding="utf-8"))["lints"]["workspace"] for crate in crates)


@pytest.mark.parametrize("path", [p for p in RUST if "cryoweave-core" in p.parts], ids=name_of)
def test_the_core_never_sees_python(path):
    assert not re.search(r"\bpyo3\b|Python<", path.read_text(encoding="utf-8"))
