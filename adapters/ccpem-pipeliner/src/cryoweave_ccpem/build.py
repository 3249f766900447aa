"""The job that builds a model: ``cryoweave run`` with the options that the pipeliner's form asks for."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from pipeliner.display_tools import create_results_display_object
from pipeliner.external_program_utils import ExternalProgram
from pipeliner.job_options import FileDescription, InputNodeJobOption, IntJobOption, StringJobOption
from pipeliner.nodes import NODE_ATOMCOORDS, NODE_DENSITYMAP, NODE_EVALUATIONMETRIC, NODE_SEQUENCE
from pipeliner.pipeliner_job import PipelinerCommand, PipelinerJob, Ref
from pipeliner.results_display_objects import ResultsDisplayObject

RUN = "cryoweave"
HOW_TO_GET = (
    "install it, in any environment, with: pip install 'cryoweave[all]'; then put it on PATH or name it, by its full "
    "path, in the environment variable CRYOWEAVE"
)


class Build(PipelinerJob):
    """An atomic model from a map and sequences, by a recipe of cryoweave."""

    PROCESS_NAME = "cryoweave.atomic_model_build"
    OUT_DIR = "Cryoweave"

    def __init__(self) -> None:
        super().__init__()
        program = ExternalProgram(os.environ.get("CRYOWEAVE") or "cryoweave", name="cryoweave")
        self.jobinfo.display_name = "cryoweave: build"
        self.jobinfo.short_desc = "Atomic model from map and sequence"
        self.jobinfo.long_desc = "Builds a model by any recipe of cryoweave; `cryoweave recipes list` names them."
        self.jobinfo.version = "0.1.0"
        self.jobinfo.job_author = "The cryoweave developers"
        self.jobinfo.programs = [program]
        self.jobinfo.references = [Ref(title="cryoweave", journal="software", year="2026")]
        if not program.exe_path:
            self.jobinfo.alternative_unavailable_reason = HOW_TO_GET
        coordinates = FileDescription("Atomic model", [".cif", ".mmcif", ".pdb", ".ent"])
        self.joboptions["input_map"] = InputNodeJobOption(
            label="Input map",
            node_type=NODE_DENSITYMAP,
            pattern=FileDescription("3D map", [".mrc", ".map", ".ccp4", ".gz"]),
            help_text="The density, cut out around the chains to build",
            is_required=True,
        )
        self.joboptions["input_sequence"] = InputNodeJobOption(
            label="Input sequence",
            node_type=NODE_SEQUENCE,
            pattern=FileDescription("FASTA", [".fasta", ".fa", ".seq"]),
            help_text="The proteins' sequences, one entry a chain. Some recipes need none",
        )
        self.joboptions["recipe"] = StringJobOption(
            label="Recipe",
            default_value="cryo2struct-plus",
            help_text="Name of a recipe, as `cryoweave recipes list` shows it",
            is_required=True,
        )
        self.joboptions["reference"] = InputNodeJobOption(
            label="Known model",
            node_type=NODE_ATOMCOORDS,
            pattern=coordinates,
            help_text="Only compared with, never built from",
        )
        self.joboptions["threads"] = IntJobOption(
            label="Threads", default_value=0, hard_min=0, help_text="0: one for each core"
        )
        self.get_runtab_options(addtl_args=True)

    def create_output_nodes(self) -> None:
        """The model and its scores, for jobs that follow."""
        self.add_output_node(f"{RUN}/model.cif", NODE_ATOMCOORDS, ["cryoweave"])
        self.add_output_node(f"{RUN}/scores.json", NODE_EVALUATIONMETRIC, ["cryoweave", "scores"])

    def get_commands(self) -> list[PipelinerCommand]:
        """One command: ``cryoweave run``."""
        words = [self.jobinfo.programs[0].command, "run", self.joboptions["recipe"].get_string()]
        for option, flag in (("input_map", "-v"), ("input_sequence", "-s"), ("reference", "-r")):
            value = self.joboptions[option].get_string()
            words += [flag, value] if value else []
        words += ["-o", str(Path(self.output_dir) / RUN), "--threads", self.joboptions["threads"].get_string()]
        return [PipelinerCommand(words + self.parse_additional_args())]

    def gather_metadata(self) -> dict:
        """The figures of the whole model."""
        return dict(json.loads((Path(self.output_dir) / RUN / "scores.json").read_text(encoding="utf-8"))["whole"])

    def create_results_display(self) -> Sequence[ResultsDisplayObject]:
        """The report, and the model beside the map's name."""
        folder = Path(self.output_dir) / RUN
        report, model = str(folder / "report.html"), str(folder / "model.cif")
        return [
            create_results_display_object("html", title="Report", html_file=report, associated_data=[report]),
            create_results_display_object("mapmodel", title="Model", models=[model], associated_data=[model]),
        ]
