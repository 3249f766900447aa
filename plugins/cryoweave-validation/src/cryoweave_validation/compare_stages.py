"""Stage records of the comparison with a reference, and with sequences."""

from cryoweave.data import Model, ScoreTable, SequenceSet
from cryoweave.host import Kind, Params, Stage, param


class LddtParams(Params):
    """Parameters of ``compare.lddt``."""

    radius: float = param(
        15.0,
        "distances up to this in the reference count",
        unit="Å",
        gt=0,
        le=100,
        source="Mariani et al. 2013, doi 10.1093/bioinformatics/btt473",
    )


STAGES = [
    Stage(
        id="compare.lddt",
        kind=Kind.VALIDATE,
        summary="local distances of the reference that the model keeps (lDDT): all heavy atoms, and Cα alone",
        load="cryoweave_validation.compare:locally_compared",
        takes={"model": Model, "reference": Model},
        gives=ScoreTable,
        params=LddtParams,
        version=2,
        cites=("10.1093/bioinformatics/btt473",),
    ),
    Stage(
        id="compare.chains",
        kind=Kind.VALIDATE,
        summary="which chain is which, recall of each, fragments and breaks against a reference",
        load="cryoweave_validation.compare_chains:connected",
        takes={"model": Model, "reference": Model},
        gives=ScoreTable,
    ),
    Stage(
        id="compare.sequence",
        kind=Kind.VALIDATE,
        summary="whether the model has the residues of the given sequences, how much of them, and which differ",
        load="cryoweave_validation.compare_sequence:against_sequences",
        takes={"model": Model, "sequences": SequenceSet},
        gives=ScoreTable,
    ),
    Stage(
        id="compare.published",
        kind=Kind.VALIDATE,
        summary="the comparison as ModelAngelo's evaluate and phenix.chain_comparison define it",
        load="cryoweave_validation.compare_published:as_published",
        takes={"model": Model, "reference": Model},
        gives=ScoreTable,
        cites=("10.1038/s41586-024-07215-4", "10.1107/S2059798319011471"),
    ),
]
