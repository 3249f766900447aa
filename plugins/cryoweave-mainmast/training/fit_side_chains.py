"""Make ``side_chains.json``: how density around a traced path tells amino acids apart.

    python plugins/cryoweave-mainmast/training/fit_side_chains.py SHARED_DATA OUTPUT [LEAVE_OUT ...]

Paths are traced in experimental maps that may be trained on (EMD-6555, EMD-20026, EMD-0093) as the tracer does, so the
table knows the tracer's errors; each residue of the deposited model gives the samples at the nearest node of a path.
"""

import sys
from pathlib import Path

import numpy as np

from cryoweave.data import DensityMap, Model, Sequence, SequenceSet
from cryoweave.data.residues import letter_of
from cryoweave.host import Context
from cryoweave.io.maps import read_map
from cryoweave.io.models import read_model
from cryoweave.io.tables import write_json
from cryoweave.kernels.graph import nearest
from cryoweave_mainmast.helix import restored
from cryoweave_mainmast.link import segments_of
from cryoweave_mainmast.paths import NODE_STEP, contours_of, point_clouds
from cryoweave_mainmast.sidechain import SAMPLES, SCHEMA, SideChainSampler, fitted
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
    at_nodes = sampler.at(path, np.zeros(len(path), bool))
    samples, letters = [], []
    for row in range(residue[near].min(), residue[near].max() + 1):
        gap = np.linalg.norm(path - trace.xyz[row], axis=1)
        node = int(gap.argmin())
        if gap[node] < 1.8 and MARGIN <= node < len(path) - MARGIN:
            samples.append(at_nodes[node])
            letters.append(letter_of(str(trace.residue_name[row])))
    return samples, letters


def main(data: Path, output: Path, *leave_out: str) -> None:
    """Write the table made from all maps but those left out."""
    names = [name for name in MAPS if name not in leave_out]
    found = {name: samples_in(read_map(data / MAPS[name][0]), read_model(data / MAPS[name][1])) for name in names}
    for name, (_, letters) in found.items():
        print(f"{name}: {len(letters)} samples", file=sys.stderr)
    table = fitted(*(np.concatenate(column) for column in zip(*found.values(), strict=True)), PRIOR, RIDGE)
    write_json(
        output,
        {
            "schema": SCHEMA,
            "maps": names,
            "samples_of_each": {name: len(letters) for name, (_, letters) in found.items()},
            "samples": [list(sample) for sample in SAMPLES],
            "mean": np.round(table.mean, 4).tolist(),
            "precision": np.round(table.precision, 4).tolist(),
        },
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
