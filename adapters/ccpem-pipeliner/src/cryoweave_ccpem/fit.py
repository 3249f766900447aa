"""The job that places structures in a map: ``cryoweave fit``."""

from pipeliner.job_options import IntJobOption, JobOption, MultiInputNodeJobOption, StringJobOption
from pipeliner.nodes import NODE_ATOMCOORDS

from cryoweave_ccpem.job import (
    COORDINATES,
    CryoweaveJob,
    map_option,
    reference_option,
    resolution_option,
    symmetry_option,
)


class Fit(CryoweaveJob):
    """Structures placed in a map: the best pose of each, all poses in a table."""

    PROCESS_NAME = "cryoweave.atomic_model_fit"
    COMMAND = "fit"
    PLAIN = ("input_models",)
    FLAGS = (
        ("input_map", "-v"),
        ("resolution", "-d"),
        ("method", "-m"),
        ("copies", "--copies"),
        ("symmetry", "--symmetry"),
        ("reference", "-r"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.jobinfo.short_desc = "Known structures placed in a map"
        self.jobinfo.long_desc = (
            "Searches all rotations and places of each structure, refines the best and says how sure they are; "
            "`cryoweave fit --methods` names the methods. All poses are in poses.tsv, the best as fit_01.cif and on."
        )

    def form(self) -> dict[str, JobOption]:
        """Structures, map, resolution, method, copies, symmetry, known model."""
        return {
            "input_models": MultiInputNodeJobOption(
                label="Structures to place",
                node_type=NODE_ATOMCOORDS,
                pattern=COORDINATES,
                help_text="Each is placed as a rigid body",
                is_required=True,
            ),
            "input_map": map_option(),
            "resolution": resolution_option(is_required=True),
            "method": StringJobOption(
                label="Method",
                default_value="fit",
                help_text="Name of a method, as `cryoweave fit --methods` shows it",
                is_required=True,
            ),
            "copies": IntJobOption(
                label="Copies",
                default_value=None,
                hard_min=1,
                help_text="Of each structure; one if nothing is said",
            ),
            "symmetry": symmetry_option("Each structure is placed with its copies"),
            "reference": reference_option(),
        }
