"""The job as the pipeliner finds and runs it."""

import os
import shutil
from pathlib import Path

import pytest

pytest.importorskip("pipeliner", reason="ccpem-pipeliner is not installed")

from pipeliner.api.manage_project import PipelinerProject
from pipeliner.job_factory import new_job_of_type

from cryoweave_ccpem.build import Build

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "emd2566"
NAME = "cryoweave.atomic_model_build"


def test_the_pipeliner_finds_the_job():
    assert type(new_job_of_type(NAME)) is Build


def test_without_the_program_the_job_says_how_to_get_it(monkeypatch):
    monkeypatch.setenv("CRYOWEAVE", "/nowhere/cryoweave")
    info = Build().jobinfo
    assert not info.is_available
    assert "pip install 'cryoweave[all]'" in info.unavailable_message


def test_the_pipeliner_builds_a_model(tmp_path, monkeypatch):
    if not shutil.which(os.environ.get("CRYOWEAVE") or "cryoweave"):
        pytest.skip("the program cryoweave is not on PATH nor named by CRYOWEAVE")
    monkeypatch.chdir(tmp_path)
    for name in ("2566_3J6B_9.mrc.gz", "3J6B_9.fasta"):
        shutil.copy(EXAMPLE / name, tmp_path)
    project = PipelinerProject(make_new_project=True)
    options = {"input_map": "2566_3J6B_9.mrc.gz", "input_sequence": "3J6B_9.fasta", "recipe": "mainmast-plus"}
    job = project.run_job({"_rlnJobTypeLabel": NAME, **options}, run_in_foreground=True)
    folder = Path(job.output_dir)
    assert (folder / "PIPELINER_JOB_EXIT_SUCCESS").exists(), (folder / "run.err").read_text()
    assert "_atom_site" in (folder / "cryoweave" / "model.cif").read_text()
    kinds = {Path(node.name).name: node.type for node in job.output_nodes}
    assert kinds["model.cif"].startswith("AtomCoords")
    assert job.gather_metadata()["residues"] > 150
    assert [shown.dobj_type for shown in job.create_results_display()] == ["html", "mapmodel"]
