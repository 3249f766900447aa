"""A small complex of four chains, two of them alike, in a map; its chains moved; and poses of them."""

from dataclasses import replace

import numpy as np
import pytest

from cryoweave.data import DensityMap, Frame, ModelSet, Poses
from cryoweave.data.model import joined_models
from cryoweave.kernels.rotations import random_rotations
from cryoweave.kernels.simulate import simulate_blurred
from cryoweave.testing import ideal_model

RESOLUTION = 8.0
NAMES = ("a", "b", "c", "d")
PLACES = np.array([[32.0, 34.0, 36.0], [64.0, 36.0, 38.0], [34.0, 66.0, 38.0], [66.0, 66.0, 44.0]])
WRONG = 12
"""Wrong poses of each chain."""


def bundle(seed):
    """Five helices of different lengths, every which way about the origin."""
    rng = np.random.default_rng(seed)
    parts = []
    for k in range(5):
        helix = ideal_model("H" * int(rng.integers(9, 19)))
        turn = random_rotations(1, 10 * seed + k)[0]
        place = np.array([9.0 * (k % 2) - 4.5, 9.0 * (k // 2 % 2) - 4.5, 7.0 * (k // 4) - 2.0])
        parts.append(
            replace(
                helix,
                xyz=(helix.xyz - helix.xyz.mean(axis=0)) @ turn.T + place,
                residue_number=(helix.residue_number + 50 * k).astype(np.int32),
            )
        )
    return joined_models(parts)


class Complex:
    """The truth, the map and what is given: chains ``a`` and ``d`` are alike."""

    def __init__(self):
        shapes = [bundle(1), bundle(2), bundle(3), bundle(1)]
        turns = random_rotations(4, 5)
        self.placed = [
            replace(model, xyz=model.xyz @ turn.T + place)
            for model, turn, place in zip(shapes, turns, PLACES, strict=True)
        ]
        frame = Frame((50, 60, 62), (1.7, 1.7, 1.7), (-1.0, -2.0, -3.0))
        values = simulate_blurred(frame, np.concatenate([one.xyz for one in self.placed]), 7.0, 0.225 * RESOLUTION)
        noise = np.random.default_rng(0).normal(0, 0.02 * values.max(), values.shape)
        self.density = DensityMap((values + noise).astype(np.float32), frame)
        away = random_rotations(4, 9)
        moved = [
            replace(model, xyz=(model.xyz - [10.0, 20.0, 30.0]) @ turn.T)
            for model, turn in zip(self.placed, away, strict=True)
        ]
        self.models = ModelSet(NAMES, tuple(moved))
        self.poses = self._poses(away)

    def _poses(self, away):
        """Of each chain some wrong poses with better scores than the right one."""
        rotation, translation, score, names = [], [], [], []
        rng = np.random.default_rng(3)
        for i, name in enumerate(NAMES):
            middle = self.models.models[i].xyz.mean(axis=0)
            for k, turn in enumerate(random_rotations(WRONG, 50 + i)):
                rotation.append(turn)
                translation.append(PLACES[rng.integers(4)] + rng.normal(0, 6, 3) - turn @ middle)
                score.append(0.9 - 0.01 * k)
                names.append(name)
            rotation.append(away[i].T)
            translation.append(np.array([10.0, 20.0, 30.0]) + 0.4)
            score.append(0.7)
            names.append(name)
        order = np.argsort(-np.array(score), kind="stable")
        return Poses(np.array(rotation), np.array(translation), np.array(score), np.array(names)).select(order)

    def off(self, model):
        """RMSD of each true chain to the nearest chain of a model that is as long."""
        got = [model.select(model.chain == name).xyz for name in dict.fromkeys(model.chain.tolist())]
        return [
            min((np.sqrt(np.mean((one - true.xyz) ** 2) * 3) for one in got if len(one) == len(true)), default=np.inf)
            for true in self.placed
        ]


@pytest.fixture(scope="session")
def truth():
    return Complex()
