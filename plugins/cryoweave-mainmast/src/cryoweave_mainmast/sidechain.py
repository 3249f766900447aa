"""How likely each amino acid is at a node of a path: density sampled where its side chain would be."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap
from cryoweave.errors import InputError
from cryoweave.kernels.backbone import CA, CB, C, N, unit
from cryoweave.kernels.evidence import LETTERS
from cryoweave.kernels.grid import gaussian, interpolate

Samples = NDArray[np.float64]
Axes = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Unit vectors at each place, each ``(n, 3)``."""


TRACED, REFINED = "side_chains.json", "side_chains_refined.json"
"""Tables for nodes of a traced path, and for the Cα atoms of a refined backbone."""
SCHEMA = "cryoweave-side-chains/1"

CALPHA_CBETA = (1.284, -0.752)
"""Å from Cα to Cβ, along the neighbours' outward bisector and the normal of their plane: means over PDB 3JCI."""
REACH = 3.8
"""Å to the neighbours along the path that stand for the Cα atoms before and behind."""
FARTHEST = 9
"""Nodes within which these are sought."""
USUAL, USUAL_RESIDUES = 121, 31
"""Nodes, and residues, over which the usual density of the main chain is averaged."""

# Where density is sampled: Å along Cα–Cβ, along the chain, across; and the width (Å) over which it is averaged. Along
# the side chain, in two rings around it, and at its back.
_AXIS = [(1.5, 0.5), (2.4, 0.7), (3.3, 0.9), (4.3, 1.1), (5.5, 1.3)]
_RINGS = [(2.8, 1.6, 0.8), (4.2, 2.2, 1.1)]
SAMPLES = (
    [(out, 0.0, 0.0, width) for out, width in _AXIS]
    + [(out, y, z, width) for out, r, width in _RINGS for y, z in ((r, 0.0), (-r, 0.0), (0.0, r), (0.0, -r))]
    + [(-2.2, 0.0, 0.0, 0.9)]
)
MAIN_CHAIN_WIDTH = 0.7


@dataclass(frozen=True)
class SideChainTable:
    """Normal distributions of the standardised samples around each amino acid, with one covariance.

    Parameters
    ----------
    mean
        Shape ``(20, k)``, in the order of ``LETTERS``.
    precision
        Inverse covariance, shape ``(k, k)``.
    """

    mean: NDArray[np.float64]
    precision: NDArray[np.float64]

    def log_odds(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-odds of each amino acid against all of them alike, shape ``(n, 20)``, for samples ``(n, k)``."""
        centred = samples - samples.mean(axis=0)
        spread = centred.std(axis=0)
        standard = np.clip(centred / np.where(spread > 0, spread, 1), -3.5, 3.5)
        # Of the normal distributions' exponents, the term in the samples alone is the same for all: it drops out.
        weighted = self.mean @ self.precision
        exponent = np.einsum("nk,ak->na", standard, weighted) - 0.5 * (weighted * self.mean).sum(axis=1)
        highest = exponent.max(axis=1, keepdims=True)
        return np.asarray(exponent - highest - np.log(np.exp(exponent - highest).mean(axis=1, keepdims=True)))


def match_scores(odds: NDArray[np.float64], letters: str) -> NDArray[np.float64]:
    """Log-odds of each residue of a sequence at each place, shape ``(n, len(letters))``; unknown ones fit all alike."""
    columns = np.concatenate((odds, np.zeros((len(odds), 1))), axis=1)
    return np.asarray(columns[:, [LETTERS.find(letter) for letter in letters]])


@cache
def side_chain_table(name: str) -> SideChainTable:
    """A table that comes with the plugin, ``TRACED`` or ``REFINED``; ``training/fit_side_chains.py`` makes them."""
    table = json.loads((files("cryoweave_mainmast") / name).read_text("utf-8"))
    if table["schema"] != SCHEMA or table["samples"] != [list(sample) for sample in SAMPLES]:
        raise InputError(f"{name} does not fit this version", "make it anew with training/fit_side_chains.py")
    return SideChainTable(np.array(table["mean"]), np.array(table["precision"]))


class SideChainSampler:
    """Looks density up around nodes; the map is averaged once for each width.

    Parameters
    ----------
    density
        Any sampling; density below zero counts as zero.
    """

    def __init__(self, density: DensityMap) -> None:
        self.frame = density.frame
        positive, spacing = np.maximum(density.values, 0), density.frame.voxel_xyz
        widths = sorted({width for *_, width in SAMPLES} | {MAIN_CHAIN_WIDTH})
        self.blurred = {
            width: gaussian(positive, (width / spacing[2], width / spacing[1], width / spacing[0])) for width in widths
        }

    def along_path(self, path: NDArray[np.float64], breaks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Samples at each node, ``(n, k)``, over the usual density of the main chain around it.

        Parameters
        ----------
        path
            Nodes in the chain's direction, shape ``(n, 3)``, Å.
        breaks
            True for a node that is not bonded to the one before it, shape ``(n,)``.
        """
        before, behind = flanks(path, breaks)
        axes = local_axes(path[before], path, path[behind])
        return self._around(path, axes, self._main_chain(path), USUAL)

    def along_backbone(self, backbone: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same at each Cα of a backbone, ``(n, 5, 3)`` in the order of ``cryoweave.kernels.backbone.ATOMS``."""
        calpha = backbone[:, CA]
        beta = unit(backbone[:, CB] - calpha)
        onward = backbone[:, C] - backbone[:, N]
        along = unit(onward - (onward * beta).sum(axis=1, keepdims=True) * beta)
        main_chain = self._main_chain(backbone[:, (N, CA, C)].reshape(-1, 3)).reshape(-1, 3).mean(axis=1)
        return self._around(calpha, (beta, along, np.cross(beta, along)), main_chain, USUAL_RESIDUES)

    def _main_chain(self, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
        return interpolate(self.blurred[MAIN_CHAIN_WIDTH], self.frame, xyz).astype(np.float64)

    def _around(self, at: NDArray[np.float64], axes: Axes, main_chain: NDArray[np.float64], usual: int) -> Samples:
        out, along, across = axes
        samples = np.stack(
            [
                interpolate(self.blurred[width], self.frame, at + x * out + y * along + z * across)
                for x, y, z, width in SAMPLES
            ],
            axis=1,
        )
        window = np.ones(min(usual, len(at)))
        around = np.convolve(main_chain, window, "same") / np.convolve(np.ones(len(at)), window, "same")
        return np.asarray(samples / np.maximum(around, 1e-12)[:, None])


def flanks(path: NDArray[np.float64], breaks: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each node the nodes about 3.8 Å before and behind it along the path, never across a break."""
    piece = np.cumsum(breaks)
    found = []
    for sign in (-1, 1):
        flank = np.arange(len(path))
        going = np.ones(len(path), dtype=bool)
        for _ in range(FARTHEST):
            following = np.clip(flank + sign, 0, len(path) - 1)
            going &= (np.linalg.norm(path[flank] - path, axis=1) < REACH) & (piece[following] == piece)
            flank = np.where(going, following, flank)
        found.append(flank)
    return found[0], found[1]


def local_axes(before: NDArray[np.float64], here: NDArray[np.float64], behind: NDArray[np.float64]) -> Axes:
    """Unit vectors from Cα to Cβ, along the chain, and across both, from three Cα in a row; each ``(n, 3)``."""
    outward = unit(2 * here - before - behind)
    normal = unit(np.cross(here - before, behind - here))
    beta = unit(CALPHA_CBETA[0] * outward + CALPHA_CBETA[1] * normal)
    along = unit(np.cross(outward, normal))
    return beta, along, unit(np.cross(beta, along))


def fitted(samples: NDArray[np.float64], letters: NDArray[np.str_], prior: float, ridge: float) -> SideChainTable:
    """A table from standardised samples ``(n, k)`` and the amino acid of each.

    Parameters
    ----------
    prior
        How many samples the mean over all amino acids counts for in each amino acid's mean.
    ridge
        Added to the covariance's diagonal.
    """
    overall = samples.mean(axis=0)
    members = [samples[letters == letter] for letter in LETTERS]
    mean = np.stack([(rows.sum(axis=0) + prior * overall) / (len(rows) + prior) for rows in members])
    known = np.isin(letters, list(LETTERS))
    residual = samples[known] - mean[[LETTERS.index(letter) for letter in letters[known]]]
    covariance = np.cov(residual.T) + ridge * np.eye(samples.shape[1])
    return SideChainTable(mean, np.asarray(np.linalg.inv(covariance), dtype=np.float64))
