"""What the detector sees around the atoms of a model: the probabilities from which DAQ is computed."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Model, PointCloud
from cryoweave.errors import InputError
from cryoweave.host import Context
from cryoweave.kernels.grid import mask_around, require_contrast
from cryoweave_unet.classes import AMINO, ATOMS, STRUCTURE
from cryoweave_unet.infer import Inner, heads_of, softmax, tiles
from cryoweave_unet.prepare import prepared
from cryoweave_unet.stages import NetworkParams
from cryoweave_unet.weights import load_detector

REACH = 2.0
"""Å: voxels this close to an atom of an amino acid become points."""
CLASSES = (*AMINO, *ATOMS[1:], *STRUCTURE)
"""Those of DAQ, in its order."""


def around(density: DensityMap, model: Model, params: NetworkParams, ctx: Context) -> PointCloud:
    """Voxels of 1 Å near the model's amino acids, with probabilities of amino acid, atom and secondary structure.

    The atom classes are those of a place in which there is an atom: they sum to 1 without the class of none.
    """
    require_contrast(density)
    detector = load_detector(params.network, ctx)
    fine = prepared(density)
    atoms = model.select(np.isin(model.residue_name, AMINO) & ~np.isin(model.element, ["H", "D"]))
    near = mask_around(fine.frame, atoms.xyz, REACH) if len(atoms) else np.zeros(fine.values.shape, bool)
    if not near.any():
        raise InputError("the model has no amino acid in the map", "does it belong to this map?")

    def logits_of(box: NDArray[np.float32], inner: Inner) -> NDArray[np.float32]:
        return detector.run(box, lambda: ctx.progress(0, 0))[inner]

    xyz, found, weight = [], [], []
    for place, logits in tiles(fine.values[None], logits_of, detector.stride, ctx.progress, near):
        here = near[place]
        zyx = np.argwhere(here) + np.array([part.start for part in place])
        xyz.append(fine.frame.to_xyz(zyx))
        found.append(probabilities(logits[:, here]))
        weight.append(np.maximum(fine.values[place][here], 0))
    ctx.note("network", detector.name)
    ctx.log.warning(
        "DAQ's probabilities are from our own network (unet.around), not the published one's; they are no independent "
        "judge of a model that was built with it (unet-mainmast)"
    )
    return PointCloud(
        np.concatenate(xyz), np.concatenate(weight), probabilities=np.concatenate(found, axis=1).T, classes=CLASSES
    )


def probabilities(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits ``(34, n)`` to probabilities of ``CLASSES``, ``(29, n)``."""
    parts = heads_of(logits)
    return np.concatenate((softmax(parts["amino"]), softmax(parts["atoms"][1:]), softmax(parts["structure"])))
