"""Records of the validators that look at the model alone."""

from cryoweave.data import Model, ScoreTable
from cryoweave.host import Kind, Stage

STAGES = [
    Stage(
        id="geometry.protein",
        kind=Kind.VALIDATE,
        summary="Cβ deviation, chirality, peptide planarity, cis peptides and broken bonds",
        load="cryoweave_validation.protein_geometry:backbone_judged",
        takes={"model": Model},
        gives=ScoreTable,
        cites=("10.1002/prot.10286", "10.1002/pro.3330"),
    ),
    Stage(
        id="geometry.calpha",
        kind=Kind.VALIDATE,
        summary="Cα distances, pseudo-angles and pseudo-torsions, for traces too",
        load="cryoweave_validation.calpha_geometry:trace_judged",
        takes={"model": Model},
        gives=ScoreTable,
        version=2,
    ),
    Stage(
        id="geometry.clashes",
        kind=Kind.VALIDATE,
        summary="heavy-atom clashes (no hydrogens: not MolProbity's clashscore)",
        load="cryoweave_validation.clashes:overlaps_counted",
        takes={"model": Model},
        gives=ScoreTable,
        version=2,
    ),
]
