"""What is in ``dist``: complete, consistent, without paths of this machine; and that pip took ours from there.

Called with the project's root and pip's installation report.
"""

import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from email.parser import BytesParser
from pathlib import Path

WHEEL = {"cryoweave": "cp311-abi3-manylinux_2_28_x86_64"}
NEEDS = ("License-Expression", "License-File", "Author", "Summary", "Description-Content-Type", "Classifier")


def main(root: Path, report: Path) -> list[str]:
    """Everything that is wrong, one line each."""
    projects = {file.parent: read(file) for file in [root / "pyproject.toml", *root.glob("plugins/*/pyproject.toml")]}
    host = projects[root]
    names = {project["name"] for project in projects.values()}
    listed = {re.split(r"[>=]", one)[0] for one in host["optional-dependencies"]["plugins"]}
    faults = [
        f"the extra 'plugins' and the folder plugins/ differ in {one}" for one in listed ^ (names - {host["name"]})
    ]
    # An adapter calls the program, and is installed where something else is.
    adapters = {file.parent: read(file) for file in root.glob("adapters/*/pyproject.toml")}
    for folder, project in {**projects, **adapters}.items():
        stem = f"{project['name'].replace('-', '_')}-{project['version']}"
        if project["version"] != host["version"]:
            faults.append(f"{stem} has another version than the host")
        wheel = root / "dist" / f"{stem}-{WHEEL.get(project['name'], 'py3-none-any')}.whl"
        source = root / "dist" / f"{stem}.tar.gz"
        missing = [f"dist has no {file.name}" for file in (wheel, source) if not file.is_file()]
        faults += missing or [f"{wheel.name}: {fault}" for fault in look_into(root, folder, wheel, source)]
    return faults + [f"{name} was not installed from dist" for name in names - from_files(report)]


def read(file: Path) -> dict:
    return tomllib.loads(file.read_text(encoding="utf-8"))["project"]


def look_into(root: Path, folder: Path, wheel: Path, source: Path) -> Iterator[str]:
    """Faults of one package: files that git knows and it lacks, metadata, paths of this machine, a broken sdist."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    inside = folder / ("python" if folder == root else "src")
    known = subprocess.run(
        ["git", "ls-files", "."], cwd=inside, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    yield from (f"lacks {name}" for name in known if name not in held)
    metadata = BytesParser().parsebytes(next(held[name] for name in held if name.endswith(".dist-info/METADATA")))
    yield from (f"its metadata lack {field}" for field in NEEDS if not metadata[field])
    private = [str(path).encode() for path in (root, Path.home()) if path != Path(path.anchor)] + [b"/tmp/"]
    for name, content in held.items():
        yield from (f"{name} holds the path {path.decode()}" for path in private if path in content)
    with tarfile.open(source) as archive:
        files = {member.name.partition("/")[2]: member for member in archive.getmembers()}
    wanted = [f"{inside.relative_to(folder)}/{name}" for name in known] + ["LICENSE", "README.md", "pyproject.toml"]
    yield from (f"its sdist lacks {name}" for name in wanted if name not in files or not files[name].isfile())


def from_files(report: Path) -> set[str]:
    """Names of the packages that pip installed from files."""
    items = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {item["metadata"]["name"] for item in items if item["download_info"]["url"].startswith("file:")}


if __name__ == "__main__":
    faults = main(Path(sys.argv[1]), Path(sys.argv[2]))
    print("\n".join(faults), file=sys.stderr)
    sys.exit(bool(faults))
