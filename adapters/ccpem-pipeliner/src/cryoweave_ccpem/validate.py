"""The job that judges a model: ``cryoweave validate``."""

from pipeliner.job_options import InputNodeJobOption, JobOption
from pipeliner.nodes import NODE_ATOMCOORDS

from cryoweave_ccpem.job import (
    COORDINATES,
    CryoweaveJob,
    map_option,
    reference_option,
    resolution_option,
    sequence_option,
    symmetry_option,
)


class Validate(CryoweaveJob):
    """Scores of a model against a map, sequences and a known model, each with its definition."""

    PROCESS_NAME = "cryoweave.atomic_model_validation"
    COMMAND = "validate"
    PLAIN = ("input_model",)
    FLAGS = (
        ("input_map", "-v"),
        ("resolution", "-d"),
        ("input_sequence", "-s"),
        ("reference", "-r"),
        ("symmetry", "--symmetry"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.jobinfo.short_desc = "Scores of a model in its map"
        self.jobinfo.long_desc = (
            "Geometry, fit to the map and likeness to a known model, of the whole and each residue."
        )

    def form(self) -> dict[str, JobOption]:
        """Model, map, resolution, sequences, known model, symmetry."""
        return {
            "input_model": InputNodeJobOption(
                label="Model to judge", node_type=NODE_ATOMCOORDS, pattern=COORDINATES, is_required=True
            ),
            "input_map": map_option(),
            "resolution": resolution_option(),
            "input_sequence": sequence_option("Tells whether the model has the residues that it should"),
            "reference": reference_option(),
            "symmetry": symmetry_option("A model on any copy of the known one is right"),
        }
