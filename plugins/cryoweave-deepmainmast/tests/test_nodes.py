"""Nodes in the maps of a perfect network."""

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import ProbabilityMaps
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.errors import InputError, StageError
from cryoweave.testing import StageContract, ideal_model, perfect_maps, simulated_map

MODEL = ideal_model()
CALPHA = MODEL.trace_atoms().xyz
CLASSES = ("CA", "N", "C", "backbone", *AMINO_ACIDS)
MAPS = perfect_maps(MODEL.trace_atoms(), simulated_map(MODEL, resolution=3.0).frame, CLASSES)


def test_every_calpha_has_a_node_with_its_amino_acid():
    found = run_stage("deepmainmast.nodes", maps=MAPS, params={"filter": 0.0})
    distance = np.linalg.norm(found.xyz[:, None] - CALPHA, axis=2)
    assert distance.min(axis=0).max() < 1.0
    assert distance.min(axis=1).max() < 1.5
    nearest = distance.argmin(axis=1)
    names = np.array(found.classes)[found.probabilities.argmax(axis=1)]
    assert np.mean(names == MODEL.trace_atoms().residue_name[nearest]) > 0.9
    assert found.weight.max() == 1


def test_nodes_off_the_main_chain_are_left_out():
    values = MAPS.values.copy()
    half = values.shape[3] // 2
    values[CLASSES.index("CA"), :, :, :half] *= np.float16(0.45)
    found = run_stage("deepmainmast.nodes", maps=ProbabilityMaps(values, MAPS.frame, CLASSES), params={"filter": 0.0})
    whole = run_stage("deepmainmast.nodes", maps=MAPS)
    assert 0 < len(found) < len(whole)


def test_what_gives_no_nodes_is_said():
    with pytest.raises(StageError, match=r"no voxel is a Cα .* highest is"):
        run_stage("deepmainmast.nodes", maps=ProbabilityMaps(MAPS.values * np.float16(0.1), MAPS.frame, CLASSES))
    with pytest.raises(InputError, match="no class N, C, "):
        run_stage("deepmainmast.nodes", maps=ProbabilityMaps(MAPS.values[:1], MAPS.frame, ("CA",)))
    with pytest.raises(StageError, match="main chain"):
        run_stage("deepmainmast.nodes", maps=MAPS, params={"main_chain": 1.0})


class TestNodesContract(StageContract):
    stage_id = "deepmainmast.nodes"

    def inputs(self):
        return {"maps": MAPS}
