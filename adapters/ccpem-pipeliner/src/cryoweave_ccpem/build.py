"""The job that builds a model: ``cryoweave run``."""

from pipeliner.job_options import JobOption, StringJobOption

from cryoweave_ccpem.job import CryoweaveJob, map_option, reference_option, sequence_option


class Build(CryoweaveJob):
    """An atomic model from a map and sequences, by a recipe of cryoweave."""

    PROCESS_NAME = "cryoweave.atomic_model_build"
    COMMAND = "run"
    PLAIN = ("recipe",)
    FLAGS = (("input_map", "-v"), ("input_sequence", "-s"), ("reference", "-r"))

    def __init__(self) -> None:
        super().__init__()
        self.jobinfo.short_desc = "Atomic model from map and sequence"
        self.jobinfo.long_desc = "Builds a model by any recipe of cryoweave; `cryoweave recipes list` names them."

    def form(self) -> dict[str, JobOption]:
        """Map, sequences, recipe, known model."""
        return {
            "input_map": map_option(),
            "input_sequence": sequence_option("Some recipes need none"),
            "recipe": StringJobOption(
                label="Recipe",
                default_value="cryo2struct-plus",
                help_text="Name of a recipe, as `cryoweave recipes list` shows it",
                is_required=True,
            ),
            "reference": reference_option(),
        }
