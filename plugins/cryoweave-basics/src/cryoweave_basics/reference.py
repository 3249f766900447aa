"""A model against a reference: which residues are where they should be."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Metric, Model, ScoreTable
from cryoweave.data.residues import letter_of
from cryoweave.errors import StageError
from cryoweave.host import Context, NoParams
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.metrics import match_points, precision_recall, superpose, tm_score
from cryoweave.kernels.pairing import CLOSE, own_residues

METRICS = {
    "ca_distance": Metric("distance to the reference Cα (P) that it is matched to, one to one, within 3 Å", "Å", False),
    "register_shift": Metric(
        "residues between the reference residue found here and the one with this residue's identity", "residues"
    ),
    "recall": Metric("reference Cα (P) with a model Cα within 3 Å, one to one, of all reference Cα", "", True),
    "precision": Metric("model Cα (P) with a reference Cα within 3 Å, one to one, of all model Cα", "", True),
    "f1": Metric("harmonic mean of recall and precision", "", True),
    "coverage": Metric("reference Cα (P) with any model Cα within 3 Å, of all reference Cα", "", True),
    "rmsd": Metric("root mean square distance of the matched Cα, in place", "Å", False),
    "rmsd_superposed": Metric("the same after superposing the matched Cα", "Å", False),
    "sequence_match": Metric("matched pairs with the same residue type, of all matched pairs", "", True),
    "sequence_recall": Metric("matched pairs with the same residue type, of all reference residues", "", True),
    "right_residue": Metric(
        "reference residues whose own residue, by alignment of the sequences, lies within 3 Å in the model, of all",
        "",
        True,
    ),
    "tm_score": Metric("TM-score of the residues paired by alignment of the sequences, by reference length", "", True),
    "gdt_ts": Metric("GDT_TS of the same pairs, by reference length", "", True),
    "reference_residues": Metric("residues of the reference with a Cα (P)", "residues"),
}


def compared(model: Model, reference: Model, params: NoParams, ctx: Context) -> ScoreTable:
    """All figures of the comparison; residues are matched by sequence alignment, never by number alone."""
    ours, native = model.trace_atoms(), reference.trace_atoms()
    if not len(ours):
        raise StageError("the model has no Cα or P atom", "is it a model of a protein or nucleic acid?")
    if not len(native):
        raise StageError("the reference has no Cα or P atom", "give another --reference")
    pairs, distances = match_points(ours.xyz, native.xyz, CLOSE)
    own = own_residues(ours, native)
    found = np.full(len(ours), -1)
    found[pairs[:, 0]] = pairs[:, 1]
    distance = np.full(len(ours), np.nan)
    distance[pairs[:, 0]] = distances
    both = (found >= 0) & (own >= 0) & (native.chain[found] == native.chain[own])
    return ScoreTable(
        chain=ours.chain,
        residue_number=ours.residue_number,
        insertion_code=ours.insertion_code,
        residue_name=ours.residue_name,
        residues={"ca_distance": distance, "register_shift": np.where(both, found - own, np.nan)},
        whole=found_figures(ours, native, pairs, distances) | register_figures(ours, native, own),
        metrics=METRICS,
    )


def found_figures(
    ours: Model, native: Model, pairs: NDArray[np.int32], distances: NDArray[np.float64]
) -> dict[str, float]:
    """What can be said without trusting the sequence."""
    agreement = precision_recall(len(pairs), len(ours), len(native))
    ours_close, native_close = ours.xyz[pairs[:, 0]], native.xyz[pairs[:, 1]]
    same = sum(
        letter_of(a) == letter_of(b) != "X"
        for a, b in zip(ours.residue_name[pairs[:, 0]], native.residue_name[pairs[:, 1]], strict=True)
    )
    gaps = nearest(ours.xyz, native.xyz)[1]
    return {
        "recall": agreement.recall,
        "precision": agreement.precision,
        "f1": agreement.f1,
        "coverage": float((gaps <= CLOSE).mean()),
        "rmsd": float(np.sqrt((distances**2).mean())) if len(pairs) else np.nan,
        "rmsd_superposed": superpose(ours_close, native_close).rmsd if len(pairs) else np.nan,
        "sequence_match": same / len(pairs) if len(pairs) else 0.0,
        "sequence_recall": same / len(native),
        "reference_residues": len(native),
    }


def register_figures(ours: Model, native: Model, own: NDArray[np.intp]) -> dict[str, float]:
    """What depends on each residue's identity."""
    placed = np.flatnonzero(own >= 0)
    placed = placed[np.argsort(own[placed])]  # the search for superpositions goes along the chain
    if not len(placed):
        return {"right_residue": 0.0, "tm_score": 0.0, "gdt_ts": 0.0}
    mine, theirs = ours.xyz[placed], native.xyz[own[placed]]
    similarity = tm_score(mine, theirs, len(native))
    right = np.linalg.norm(mine - theirs, axis=1) <= CLOSE
    return {
        "right_residue": float(right.sum() / len(native)),
        "tm_score": similarity.tm,
        "gdt_ts": similarity.gdt_ts,
    }
