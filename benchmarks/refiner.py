"""What `unet.refine` does to the candidates of `points.calpha` on maps whose model is known.

    .venv/bin/python benchmarks/refiner.py ../shared/data [--network FILE] [--refiner FILE]

Prints one Markdown row a map: Cα one to one within 3 Å, before and after.
"""

import argparse
from pathlib import Path

import numpy as np

from cryoweave import run_stage
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.io.maps import read_map
from cryoweave.io.models import read_model
from cryoweave.kernels.metrics import match_points

MAPS = {
    "EMD-5778": ("maps/emd5778_trpv1A/riken_5778_masked.mrc.gz", "maps/emd5778_trpv1A/riken_5778_native.pdb"),
    "EMD-6555": ("maps/emd6555_pcv2/riken_6555_masked.mrc.gz", "maps/emd6555_pcv2/riken_6555_native.pdb"),
    "EMD-20026": ("maps/emd20026_apof/emd20026_prot.mrc.gz", "maps/emd20026_apof/3ajo_fitted_refined.pdb"),
}


def figures(cloud, trace):
    """Root mean square distance, recall, precision, and share of the matched whose likeliest amino acid is right."""
    matched = match_points(cloud.xyz, trace.xyz, 3.0)
    own, other = np.asarray(matched.pairs).T
    amino = [name for name in cloud.classes if name in AMINO_ACIDS]
    columns = [cloud.classes.index(name) for name in amino]
    best = np.array(amino)[cloud.probabilities[own][:, columns].argmax(axis=1)]
    return (
        np.sqrt((np.asarray(matched.distances) ** 2).mean()),
        len(own) / len(trace),
        len(own) / len(cloud),
        (best == trace.residue_name[other]).mean(),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--network", type=Path)
    parser.add_argument("--refiner", type=Path)
    options = parser.parse_args()
    print("| map | Cα RMSD, Å | recall | precision | amino acid top 1 |")
    print("|---|---|---|---|---|")
    for name, (density, model) in MAPS.items():
        trace = read_model(options.data / model).trace_atoms()
        trace = trace.select(trace.atom_name == "CA")
        maps = run_stage("unet.maps", density=read_map(options.data / density), params={"network": options.network})
        before = run_stage("points.calpha", maps=maps)
        after = run_stage("unet.refine", maps=maps, points=before, params={"network": options.refiner})
        pairs = zip(figures(before, trace), figures(after, trace), strict=True)
        print(f"| {name} |", " | ".join(f"{a:.3f} → {b:.3f}" for a, b in pairs), "|", flush=True)


if __name__ == "__main__":
    main()
