"""What the jobs have in common: the program, its usual options, what a folder of results holds."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from pipeliner.display_tools import create_results_display_object
from pipeliner.external_program_utils import ExternalProgram
from pipeliner.job_options import (
    FileDescription,
    FloatJobOption,
    InputNodeJobOption,
    IntJobOption,
    JobOption,
    MultiStringJobOption,
    StringJobOption,
)
from pipeliner.nodes import NODE_ATOMCOORDS, NODE_DENSITYMAP, NODE_EVALUATIONMETRIC, NODE_SEQUENCE
from pipeliner.pipeliner_job import PipelinerCommand, PipelinerJob, Ref
from pipeliner.results_display_objects import ResultsDisplayObject

RESULTS = "cryoweave"
COORDINATES = FileDescription("Atomic model", [".cif", ".mmcif", ".pdb", ".ent", ".gz"])
HOW_TO_GET = (
    "install it, in any environment, with: pip install 'cryoweave[all]'; then put it on PATH or name it, by its full "
    "path, in the environment variable CRYOWEAVE"
)


def map_option() -> InputNodeJobOption:
    """Asks for the map."""
    return InputNodeJobOption(
        label="Input map",
        node_type=NODE_DENSITYMAP,
        pattern=FileDescription("3D map", [".mrc", ".map", ".ccp4", ".gz"]),
        help_text="The density, cut out around the chains in question",
        is_required=True,
    )


def sequence_option(help_text: str) -> InputNodeJobOption:
    """Asks for sequences."""
    return InputNodeJobOption(
        label="Input sequence",
        node_type=NODE_SEQUENCE,
        pattern=FileDescription("FASTA", [".fasta", ".fa", ".seq"]),
        help_text=f"The proteins' sequences, one entry a chain. {help_text}",
    )


def reference_option() -> InputNodeJobOption:
    """Asks for a known model."""
    return InputNodeJobOption(
        label="Known model",
        node_type=NODE_ATOMCOORDS,
        pattern=COORDINATES,
        help_text="Only compared with, never built from",
    )


def resolution_option(*, is_required: bool = False) -> FloatJobOption:
    """Asks for the map's resolution."""
    return FloatJobOption(
        label="Resolution (Å)",
        default_value=None,
        hard_min=0.5,
        hard_max=50.0,
        help_text="Of the map",
        is_required=is_required,
    )


def symmetry_option(help_text: str) -> StringJobOption:
    """Asks for the map's symmetry."""
    return StringJobOption(
        label="Symmetry", help_text=f"Of the map about z: C4, D7, O, I2, H-166.5,27.5,6. {help_text}"
    )


class CryoweaveJob(PipelinerJob):
    """A command of the program ``cryoweave`` that writes one folder with a model, scores and a report.

    A subclass says which command, and what it asks for.
    """

    OUT_DIR = "Cryoweave"
    COMMAND = ""
    PLAIN: tuple[str, ...] = ()
    """Entries that follow the command without a flag."""
    FLAGS: tuple[tuple[str, str], ...] = ()
    """Entries, and the flag that each has."""

    def __init__(self) -> None:
        super().__init__()
        program = ExternalProgram(os.environ.get("CRYOWEAVE") or "cryoweave", name="cryoweave")
        self.jobinfo.display_name = f"cryoweave: {self.PROCESS_NAME.rpartition('_')[2]}"
        self.jobinfo.version = "0.1.0"
        self.jobinfo.job_author = "The cryoweave developers"
        self.jobinfo.programs = [program]
        self.jobinfo.references = [Ref(title="cryoweave", journal="software", year="2026")]
        if not program.exe_path:
            self.jobinfo.alternative_unavailable_reason = HOW_TO_GET
        self.joboptions.update(self.form())
        self.joboptions["threads"] = IntJobOption(
            label="Threads", default_value=0, hard_min=0, help_text="0: one for each core"
        )
        self.get_runtab_options(addtl_args=True)

    def form(self) -> dict[str, JobOption]:
        """What the job asks for."""
        raise NotImplementedError

    def create_output_nodes(self) -> None:
        """The model and its scores, for jobs that follow."""
        self.add_output_node(f"{RESULTS}/model.cif", NODE_ATOMCOORDS, ["cryoweave"])
        self.add_output_node(f"{RESULTS}/scores.json", NODE_EVALUATIONMETRIC, ["cryoweave", "scores"])

    def get_commands(self) -> list[PipelinerCommand]:
        """One command."""
        words = [self.jobinfo.programs[0].command, *self.COMMAND.split()]
        for name in self.PLAIN:
            words += self.given(name)
        for name, flag in (*self.FLAGS, ("threads", "--threads")):
            words += [word for value in self.given(name) for word in (flag, value)]
        words += ["-o", str(Path(self.output_dir) / RESULTS)]
        return [PipelinerCommand(words + self.parse_additional_args())]

    def given(self, name: str) -> list[str]:
        """What was entered, as words; none if nothing was."""
        option = self.joboptions[name]
        if isinstance(option, MultiStringJobOption):
            return [str(value) for value in option.get_list()]
        value = option.get_string()
        return [value] if value else []

    def gather_metadata(self) -> dict:
        """The figures of the whole model."""
        return dict(json.loads((Path(self.output_dir) / RESULTS / "scores.json").read_text(encoding="utf-8"))["whole"])

    def create_results_display(self) -> Sequence[ResultsDisplayObject]:
        """The report, and the model."""
        folder = Path(self.output_dir) / RESULTS
        report, model = str(folder / "report.html"), str(folder / "model.cif")
        return [
            create_results_display_object("html", title="Report", html_file=report, associated_data=[report]),
            create_results_display_object("mapmodel", title="Model", models=[model], associated_data=[model]),
        ]
