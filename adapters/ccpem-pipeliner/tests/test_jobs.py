"""The jobs as the pipeliner finds and runs them."""

import json
import os
import shutil
from pathlib import Path

import pytest

pytest.importorskip("pipeliner", reason="ccpem-pipeliner is not installed")

from pipeliner.api.manage_project import PipelinerProject
from pipeliner.job_factory import new_job_of_type

from cryoweave_ccpem.build import Build
from cryoweave_ccpem.fit import Fit
from cryoweave_ccpem.validate import Validate

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "emd2566"
MAP, SEQUENCE, MODEL = "2566_3J6B_9.mrc.gz", "3J6B_9.fasta", "3J6B_9.pdb"
JOBS = {job.PROCESS_NAME: job for job in (Build, Fit, Validate)}
needs_program = pytest.mark.skipif(
    not shutil.which(os.environ.get("CRYOWEAVE") or "cryoweave"),
    reason="the program cryoweave is not on PATH nor named by CRYOWEAVE",
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (MAP, SEQUENCE, MODEL):
        shutil.copy(EXAMPLE / name, tmp_path)
    return PipelinerProject(make_new_project=True)


def done(project, kind, **options):
    """The job, run; where it put its results; the types of the nodes that it gives."""
    job = project.run_job({"_rlnJobTypeLabel": kind.PROCESS_NAME, **options}, run_in_foreground=True)
    folder = Path(job.output_dir)
    assert (folder / "PIPELINER_JOB_EXIT_SUCCESS").exists(), (folder / "run.err").read_text()
    assert [shown.dobj_type for shown in job.create_results_display()] == ["html", "mapmodel"]
    kinds = {Path(node.name).name: node.type for node in job.output_nodes}
    assert kinds["model.cif"].startswith("AtomCoords")
    return job, folder / "cryoweave"


@pytest.mark.parametrize("name", JOBS)
def test_the_pipeliner_finds_the_job(name):
    assert type(new_job_of_type(name)) is JOBS[name]


@pytest.mark.parametrize("kind", JOBS.values(), ids=JOBS)
def test_without_the_program_a_job_says_how_to_get_it(kind, monkeypatch):
    monkeypatch.setenv("CRYOWEAVE", "/nowhere/cryoweave")
    info = kind().jobinfo
    assert not info.is_available
    assert "pip install 'cryoweave[all]'" in info.unavailable_message


@needs_program
def test_the_pipeliner_builds_a_model(project):
    job, folder = done(project, Build, input_map=MAP, input_sequence=SEQUENCE, recipe="mainmast-plus")
    assert "_atom_site" in (folder / "model.cif").read_text()
    assert job.gather_metadata()["residues"] > 150


@needs_program
def test_the_pipeliner_places_a_structure_and_judges_it(project):
    _, fitted = done(project, Fit, input_models=MODEL, input_map=MAP, resolution=3.2, reference=MODEL)
    assert (fitted / "poses.tsv").is_file()
    assert (fitted / "fit_01.cif").is_file()
    model = str(fitted / "model.cif")
    given = {"input_map": MAP, "resolution": 3.2, "input_sequence": SEQUENCE, "reference": MODEL, "symmetry": "C2"}
    job, judged = done(project, Validate, input_model=model, **given)
    scores = job.gather_metadata()
    assert scores["right_residue"] == pytest.approx(1.0)
    assert scores["lddt"] > 0.99
    assert json.loads((judged / "record.json").read_text())["symmetry"] == "C2"
