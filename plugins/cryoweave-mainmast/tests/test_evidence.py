"""What a detector says of amino acids helps a threading, and nothing else does harm."""

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import PointCloud, Traces
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.kernels.evidence import LETTERS, AminoEvidence
from cryoweave.testing import ideal_model, sequences_of, simulated_map

MODEL = ideal_model("H" * 30, letters="MKVLAWEDGSTFYHNQRPICAAGWLEEKDS")
TRACE = MODEL.trace_atoms()
NAMES = tuple(AMINO_ACIDS)


def points_of(trace, *, sure=0.6, over="", seed=0):
    """A point at each Cα; ``over`` is called everywhere as often as the right one."""
    probability = np.full((len(trace), 20), (1 - sure) / 19, np.float32)
    probability[np.arange(len(trace)), [NAMES.index(name) for name in trace.residue_name.tolist()]] = sure
    if over:
        probability[:, NAMES.index(over)] = sure
    return PointCloud(trace.xyz, np.ones(len(trace)), probabilities=probability, classes=NAMES)


def test_the_right_residue_is_likeliest_whatever_is_called_everywhere():
    for over in ("", "LEU"):
        odds = AminoEvidence(points_of(TRACE, over=over)).log_odds(TRACE.xyz)
        right = [LETTERS.index(AMINO_ACIDS[name]) for name in TRACE.residue_name.tolist()]
        known = TRACE.residue_name != over
        assert (odds.argmax(axis=1) == right)[known].all()
        assert odds.shape == (30, 20)


def test_far_from_every_point_and_without_types_it_says_nothing():
    evidence = AminoEvidence(points_of(TRACE))
    assert not evidence.log_odds(TRACE.xyz + 100).any()
    assert evidence.log_odds(np.zeros((0, 3))).shape == (0, 20)
    bare = PointCloud(TRACE.xyz, np.ones(len(TRACE)))
    for points in (None, bare, PointCloud(np.zeros((0, 3)), np.zeros(0))):
        assert not AminoEvidence(points).log_odds(TRACE.xyz).any()


@pytest.mark.parametrize("stage", ["mainmast.thread_gapped", "mainmast.refine"])
def test_it_finds_the_register_that_poor_density_does_not_tell(stage):
    density = simulated_map(MODEL.select(np.isin(MODEL.atom_name, ["N", "CA", "C", "O"])), resolution=5.0)
    fine = np.linspace(0, 29, 120)
    path = np.stack([np.interp(fine, np.arange(30), TRACE.xyz[:, axis]) for axis in range(3)], axis=1)
    traces = Traces(path, np.ones(120), np.zeros(120, int), [0], [0.0])
    sequences = sequences_of(MODEL)

    def shift(points):
        found = run_stage("mainmast.thread_gapped", density=density, traces=traces, sequences=sequences, points=points)
        if stage == "mainmast.refine":
            found = run_stage(stage, density=density, threading=found, points=points)
        rows = found.rows_of(0)
        distance = np.linalg.norm(found.xyz[rows] - TRACE.xyz[found.residue[rows]], axis=1)
        return (distance < 2.5).sum() / 30

    assert shift(points_of(TRACE)) > 0.85
    assert shift(points_of(TRACE)) >= shift(None)
