"""Make ``side_chains.json`` and ``side_chains_refined.json``: how density around a chain tells amino acids apart.

    python plugins/cryoweave-mainmast/training/fit_side_chains.py SHARED_DATA OUTPUT_FOLDER [LEAVE_OUT ...]

Both learn from experimental maps that may be trained on (EMD-6555, EMD-20026, EMD-0093), with the errors that they will
meet. For the first, paths are traced as the tracer does; each residue of the deposited model gives the samples at the
nearest node of a path. For the second, the deposited Cα atoms are moved at random and refined as the refiner does.
"""

import sys
from pathlib import Path

import numpy as np

from cryoweave import run_stage
from cryoweave.data import DensityMap, Model, Sequence, SequenceSet
from cryoweave.data.residues import letter_of
from cryoweave.host import Context
from cryoweave.io.maps import read_map
from cryoweave.io.models import read_model
from cryoweave.io.tables import write_json
from cryoweave.kernels.backbone import CA, BackboneRefiner
from cryoweave.kernels.graph import nearest
from cryoweave_mainmast.helix import restored
from cryoweave_mainmast.link import segments_of
from cryoweave_mainmast.paths import NODE_STEP, contours_of, point_clouds
from cryoweave_mainmast.sidechain import REFINED, SAMPLES, SCHEMA, TRACED, SideChainSampler, fitted
from cryoweave_mainmast.stages import PathsParams

MAPS = {
    "EMD-6555": ("maps/emd6555_pcv2/riken_6555_masked.mrc.gz", "maps/emd6555_pcv2/riken_6555_native.pdb"),
    "EMD-20026": ("maps/emd20026_apof/emd20026_prot.mrc.gz", "maps/emd20026_apof/3ajo_fitted_refined.pdb"),
    "EMD-0093": ("maps/emd0093_hcn4/MAP_m4A.mrc.gz", "maps/emd0093_hcn4/6gyn.pdb.gz"),
}
PARAMS = PathsParams(volumes=(30, 40, 60))
PRIOR, RIDGE = 20, 0.2
SHORTEST = 25
"""Points in a segment below which its direction cannot be told from the model."""
MARGIN = 6
"""Nodes at a path's ends that are left out: they have no flanks."""
MOVED, NEAR, LONGEST_BOND = 0.5, 1.2, 4.3
"""Å: standard deviation by which Cα atoms are moved; where a refined one still stands for its residue; a bond."""


def samples_in(density: DensityMap, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Standardised samples at the residues of a model, and their letters, for every contour."""
    trace = model.trace_atoms()
    sampler = SideChainSampler(density)
    sequences = SequenceSet((Sequence("all", "A" * len(trace)),))
    contours = [contour for _, contour in contours_of(density, sequences, PARAMS.volumes)]
    samples, letters = [], []
    for points in point_clouds(density, contours, PARAMS, Context()):
        here: list[np.ndarray] = []
        for segment in segments_of(points, density, PARAMS.bandwidth, PARAMS.side_branch).paths:
            if len(segment) >= SHORTEST:
                found, names = samples_along(sampler, restored(segment, NODE_STEP), trace)
                here += found
                letters += names
        if here:
            samples.append((np.array(here) - np.mean(here, axis=0)) / np.std(here, axis=0))
    return np.concatenate(samples), np.array(letters)


def samples_along(sampler: SideChainSampler, path: np.ndarray, trace: Model) -> tuple[list[np.ndarray], list[str]]:
    """Samples where one path passes residues of the model, in the model's direction."""
    residue, distance = (column[:, 0] for column in nearest(trace.xyz, path, 1))
    near = distance < 2.0
    if near.sum() <= 10 or abs(slope := np.corrcoef(np.flatnonzero(near), residue[near])[0, 1]) < 0.8:
        return [], []
    if slope < 0:
        path, residue, near = path[::-1].copy(), residue[::-1], near[::-1]
    at_nodes = sampler.along_path(path, np.zeros(len(path), bool))
    samples, letters = [], []
    for row in range(residue[near].min(), residue[near].max() + 1):
        gap = np.linalg.norm(path - trace.xyz[row], axis=1)
        node = int(gap.argmin())
        if gap[node] < 1.8 and MARGIN <= node < len(path) - MARGIN:
            samples.append(at_nodes[node])
            letters.append(letter_of(str(trace.residue_name[row])))
    return samples, letters


def samples_refined(density: DensityMap, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Standardised samples along backbones refined from Cα atoms that were moved off the model's, and their letters."""
    trace = model.trace_atoms()
    bonded = np.linalg.norm(np.diff(trace.xyz, axis=0), axis=1) < LONGEST_BOND
    moved = trace.xyz + np.random.default_rng(0).normal(0, MOVED, trace.xyz.shape)
    backbone = BackboneRefiner(density.values, density.frame).refine(moved, bonded).xyz
    samples = SideChainSampler(density).along_backbone(backbone)
    samples = (samples - samples.mean(axis=0)) / samples.std(axis=0)
    near = np.linalg.norm(backbone[:, CA] - trace.xyz, axis=1) < NEAR
    letters = np.array([letter_of(str(name)) for name in trace.residue_name])
    return samples[near], letters[near]


def main(data: Path, output: Path, *leave_out: str) -> None:
    """Write the tables made from all maps but those left out."""
    maps = {name: (read_map(data / m), read_model(data / n)) for name, (m, n) in MAPS.items() if name not in leave_out}
    write_table(output / TRACED, {name: samples_in(*pair) for name, pair in maps.items()})
    sharp = {name: (upsampled(density), model) for name, (density, model) in maps.items()}
    write_table(output / REFINED, {name: samples_refined(*pair) for name, pair in sharp.items()})


def upsampled(density: DensityMap) -> DensityMap:
    """The density as ``mainmast-plus`` prepares it."""
    prepared = run_stage("map.upsample", density=density)
    assert isinstance(prepared, DensityMap)
    return prepared


def write_table(output: Path, found: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Fit and write one table."""
    for name, (_, letters) in found.items():
        print(f"{output.name}: {name}, {len(letters)} samples", file=sys.stderr)
    table = fitted(*(np.concatenate(column) for column in zip(*found.values(), strict=True)), PRIOR, RIDGE)
    write_json(
        output,
        {
            "schema": SCHEMA,
            "maps": list(found),
            "samples_of_each": {name: len(letters) for name, (_, letters) in found.items()},
            "samples": [list(sample) for sample in SAMPLES],
            "mean": np.round(table.mean, 4).tolist(),
            "precision": np.round(table.precision, 4).tolist(),
        },
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
