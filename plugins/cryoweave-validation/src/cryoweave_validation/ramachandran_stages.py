"""Record of the Ramachandran validator."""

from cryoweave.data import Model, ScoreTable
from cryoweave.host import Kind, Stage

STAGES = [
    Stage(
        id="geometry.ramachandran",
        kind=Kind.VALIDATE,
        summary="φ, ψ and their Ramachandran class and outcome by the Top8000 contours",
        load="cryoweave_validation.ramachandran:torsions_judged",
        takes={"model": Model},
        gives=ScoreTable,
        version=2,
        cites=("10.1002/pro.3330", "10.1002/prot.10286"),
    ),
]
