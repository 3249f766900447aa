"""What can be known of the inputs before an hour is spent on them."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Model, SequenceSet
from cryoweave.errors import InputError
from cryoweave.kernels.grid import Statistics, interpolate, statistics, volume_threshold
from cryoweave.pipeline.machine import hint_of

RESIDUE_VOLUME = {"protein": 110 * 1.21, "rna": 325 * 0.91, "dna": 325 * 0.91}
"""Å³ of one residue: mean mass in Da times the partial specific volume, 0.73 cm³/g (1.21 Å³/Da) for proteins and
0.55 cm³/g (0.91 Å³/Da) for nucleic acids."""

BUILDING_VOXEL = (0.5, 1.5)
"""Å; finer wastes time, coarser hides the main chain (no detail finer than two voxels is in a map)."""

CONTROL_SHIFT = 8.0
"""Å; a model that does sit in its density leaves it when shifted so far."""

SHIFT_BYTES = 160
"""Bytes that mean shift takes for each voxel above the contour, measured on maps of 1.1 to 1.3 Å voxels."""

MASKED = 0.2
"""Share of voxels that are exactly 0 from which a map counts as masked."""

TIGHT = 0.5
"""A mask may leave as little as this share of what the molecules need above 0 and still be right: it follows the
visible density, and volumes by mass reckon with all atoms."""


class Level(StrEnum):
    """``skip`` is what could not be tested; only ``fail`` stops a run."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True)
class Finding:
    """One line of the check.

    Parameters
    ----------
    topic
        ``map``, ``voxel``, ``mask``, ``contrast``, ``sequences``, ``contour``, ``origin``, ``hand`` or ``cost``.
    level, message, hint
        How it is, in one sentence, and what to do about it.
    values
        The numbers behind it.
    """

    topic: str
    level: Level
    message: str
    hint: str = ""
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Inputs:
    """What is to be checked; None where it was not given or could not be read."""

    density: DensityMap
    sequences: SequenceSet | None = None
    model: Model | None = None
    contour: float | None = None


Value = TypeVar("Value")


def attempt(topic: str, read: Callable[[], Value], findings: list[Finding]) -> Value | None:
    """Read a file; if that is not possible, the reason is a finding."""
    try:
        return read()
    except InputError as error:
        findings.append(Finding(topic, Level.FAIL, str(error), hint_of(error)))
        return None


def check_header(path: Path) -> Iterator[Finding]:
    """The map's header: where the map lies, and what is odd.

    Raises
    ------
    InputError
        If it is no map that can be read.
    """
    from cryoweave.io.maps import inspect_map

    info = inspect_map(path)
    place = ", ".join(f"{o:.3f}" for o in info.origin_xyz)
    nz, ny, nx = info.shape_zyx
    message = f"{nx} x {ny} x {nz} voxels, first at ({place}) Å by: {info.origin_rule}"
    yield Finding("map", Level.OK, message, values={"shape_zyx": info.shape_zyx, "origin_xyz": info.origin_xyz})
    for warning in info.warnings:
        yield Finding("map", Level.WARN, warning, "see `cryoweave map info`")
    yield check_voxel(info.voxel_xyz)


def check_voxel(voxel_xyz: tuple[float, float, float]) -> Finding:
    """Whether the sampling suits model building."""
    low, high = BUILDING_VOXEL
    values = {"voxel_xyz": voxel_xyz}
    text = " x ".join(dict.fromkeys(f"{v:.4g}" for v in voxel_xyz)) + " Å"
    if max(voxel_xyz) > 1.01 * min(voxel_xyz):
        return Finding("voxel", Level.WARN, f"the voxels are not cubic: {text}", "begin with map.resample", values)
    if min(voxel_xyz) < low:
        return Finding(
            "voxel", Level.WARN, f"{text} is finer than model building needs", "begin with map.resample", values
        )
    if max(voxel_xyz) > high:
        hint = "fit known or predicted structures instead, or check the voxel size in the header"
        return Finding("voxel", Level.WARN, f"{text} is too coarse to trace a main chain", hint, values)
    return Finding("voxel", Level.OK, f"{text} suits model building", values=values)


def check_inputs(inputs: Inputs) -> Iterator[Finding]:
    """Everything that needs the voxels.

    Parameters
    ----------
    inputs
        What the user has.

    Yields
    ------
    Findings, in the order of reading.
    """
    stats = statistics(inputs.density.values)
    if stats.sd == 0:
        yield no_density(stats)
        return
    yield check_mask(inputs.density, stats)
    yield check_contrast(inputs.density, stats)
    if inputs.sequences is not None:
        yield from check_alphabet(inputs.sequences)
    contour, finding = check_contour(inputs, stats)
    yield finding
    yield check_origin(inputs, stats)
    yield check_hand(inputs, stats)
    yield check_cost(inputs, contour)


def no_density(stats: Statistics) -> Finding:
    """What is to be said of a map in which all voxels are alike."""
    message = f"every voxel is {stats.minimum:g}: there is no density"
    return Finding("contrast", Level.FAIL, message, "give the reconstructed map")


def check_mask(density: DensityMap, stats: Statistics) -> Finding:
    """Whether someone has set the solvent to zero."""
    share = 1 - stats.nonzero / density.values.size
    values = {"zero_fraction": share}
    if share < MASKED:
        return Finding("mask", Level.OK, f"{share:.0%} of the voxels are exactly 0: not masked", values=values)
    message = f"{share:.0%} of the voxels are exactly 0: the map is masked, so every method looks better than it is"
    return Finding("mask", Level.WARN, message, "use the unmasked map to judge a method", values)


def check_contrast(density: DensityMap, stats: Statistics) -> Finding:
    """Whether the molecule is bright: the tail of the histogram points up."""
    step = max(1, density.values.size // 2_000_000)
    sample = density.values.ravel()[::step].astype(np.float64)
    skew = float(np.mean(((sample - stats.mean) / stats.sd) ** 3))
    values = {"skewness": skew, "minimum": stats.minimum, "maximum": stats.maximum}
    if skew < -0.5 and -stats.minimum > stats.maximum:
        message = f"the strongest voxels are negative (skewness {skew:.1f}): the contrast looks inverted"
        return Finding("contrast", Level.WARN, message, "multiply the map by -1", values)
    return Finding("contrast", Level.OK, f"the strongest voxels are positive (skewness {skew:.1f})", values=values)


def check_alphabet(sequences: SequenceSet) -> Iterator[Finding]:
    """Whether a protein's file holds nucleotides, or nothing that can be placed."""
    sound = True
    for sequence in sequences:
        letters = set(sequence.letters)
        if sequence.molecule == "protein" and len(sequence) >= 12 and letters <= set("ACGTUN"):
            sound = False
            message = f"{sequence.name} was given as a protein but looks like nucleotides: {sequence.letters[:12]}…"
            yield Finding("sequences", Level.FAIL, message, "give it with -rf (RNA) or -df (DNA)")
        unknown = sequence.letters.count("X" if sequence.molecule == "protein" else "N") / len(sequence)
        if unknown > 0.2:
            sound = False
            message = f"{unknown:.0%} of {sequence.name} are unknown residues, which cannot be told apart"
            yield Finding("sequences", Level.WARN, message, "give the true sequence if it is known")
    if sound:
        count = sum(sequence.copies for sequence in sequences)
        message = f"{count} chain{'s' * (count != 1)}, {sequences.residues} residues"
        yield Finding("sequences", Level.OK, message, values={"chains": count, "residues": sequences.residues})


def volume_needed(inputs: Inputs) -> float:
    """Å³ of the molecules: from the sequences, else from the model's residues; 0 if there is neither."""
    if inputs.sequences is not None:
        return sum(len(s) * s.copies * RESIDUE_VOLUME[s.molecule] for s in inputs.sequences)
    if inputs.model is None:
        return 0.0
    trace = inputs.model.trace_atoms()
    proteins = int(np.count_nonzero(trace.atom_name == "CA"))
    return proteins * RESIDUE_VOLUME["protein"] + (len(trace) - proteins) * RESIDUE_VOLUME["rna"]


def check_contour(inputs: Inputs, stats: Statistics) -> tuple[float, Finding]:
    """The contour that holds as much as the sequences need, and how the user's compares to it."""
    density, given = inputs.density, inputs.contour
    needed = volume_needed(inputs)
    voxels = round(needed / density.frame.voxel_volume)
    if needed == 0:
        contour = given if given is not None else stats.mean + 3 * stats.sd
        source = "given" if given is not None else "the mean and three standard deviations"
        message = f"not tested: needs sequences or a model; {contour:.4g} ({source}) is used below"
        return contour, Finding("contour", Level.SKIP, message, "give -s FASTA", {"contour": contour})
    positive = int(np.count_nonzero(density.values > 0))
    if voxels > positive:
        contour = given if given is not None else stats.mean + 3 * stats.sd
        return contour, _too_small(density, positive, needed, stats)
    suggested = volume_threshold(density.values, voxels)
    values = {"suggested": suggested, "needed_volume": needed}
    if given is None and suggested < stats.mean + 0.5 * stats.sd:
        message = f"{suggested:.4g} would enclose the {needed:.0f} Å³ that the molecules need, but lies in the noise"
        hint = f"does the map show all of them? Try {stats.mean + 3 * stats.sd:.3g}, 3 σ above the mean"
        return suggested, Finding("contour", Level.WARN, message, hint, values)
    if given is None:
        message = f"{suggested:.4g} encloses the {needed:.0f} Å³ that the molecules need"
        return suggested, Finding("contour", Level.OK, message, f"try contours around {suggested:.3g}", values)
    return given, _given_contour(density, given, suggested, needed)


def check_room(inputs: Inputs, stats: Statistics) -> Finding:
    """Whether the molecules have room in the density above 0; cheaper than :func:`check_contour`."""
    needed = volume_needed(inputs) if inputs.sequences is not None else 0.0
    positive = int(np.count_nonzero(inputs.density.values > 0)) if needed else 0
    if needed <= positive * inputs.density.frame.voxel_volume:
        return Finding("contour", Level.OK, "the molecules have room in the map")
    return _too_small(inputs.density, positive, needed, stats)


def _too_small(density: DensityMap, positive: int, needed: float, stats: Statistics) -> Finding:
    there, box = (n * density.frame.voxel_volume for n in (positive, density.values.size))
    values = {"needed_volume": needed, "positive_volume": there, "box_volume": box}
    masked = stats.nonzero < (1 - MASKED) * density.values.size
    if masked and there >= TIGHT * needed:
        message = (
            f"the mask leaves {there:.0f} Å³ above 0, {there / needed:.0%} of what the molecules fill: a tight one"
        )
        return Finding("contour", Level.OK, message, values=values)
    message = f"the molecules need {needed:.0f} Å³, but only {there:.0f} Å³ of the map are above 0"
    hint = "does the map show all of them? Is the voxel size right?"
    return Finding("contour", Level.FAIL if needed > 2 * box else Level.WARN, message, hint, values)


def _given_contour(density: DensityMap, given: float, suggested: float, needed: float) -> Finding:
    enclosed = int(np.count_nonzero(density.values > given)) * density.frame.voxel_volume
    ratio = enclosed / needed
    values = {"given": given, "suggested": suggested, "needed_volume": needed, "enclosed_volume": enclosed}
    message = f"{given:.4g} encloses {enclosed:.0f} Å³, {ratio:.2g} times what the molecules need"
    hint = f"{suggested:.4g} would enclose what they need"
    if enclosed == 0:
        return Finding("contour", Level.FAIL, f"no voxel lies above {given:.4g}", hint, values)
    if not 0.33 <= ratio <= 2:
        return Finding("contour", Level.WARN, message, hint, values)
    return Finding("contour", Level.OK, message, values=values)


def check_origin(inputs: Inputs, stats: Statistics) -> Finding:
    """Whether the model sits in the density, judged by shifting it away."""
    if inputs.model is None:
        return Finding("origin", Level.SKIP, "not tested: needs a model that sits in the map", "give --model")
    trace = inputs.model.trace_atoms().xyz
    if not len(trace):
        return Finding("origin", Level.FAIL, "the model has no Cα or P atom", "give a protein or nucleic acid model")
    density = inputs.density
    inside = float(density.frame.contains(trace).mean())
    here = _sigma(density, trace, stats)
    steps = CONTROL_SHIFT * np.concatenate((np.eye(3), -np.eye(3)))
    control = float(np.mean([_sigma(density, trace + step, stats) for step in steps]))
    values = {"sigma": here, "control_sigma": control, "inside": inside}
    text = f"density at Cα (P) {here:.2f} σ, {control:.2f} σ when shifted by {CONTROL_SHIFT:g} Å"
    hint = "was it fitted into this map? `cryoweave map info` tells box, voxel size and which origin rule was used"
    if inside < 0.5:
        message = f"only {inside:.0%} of the model lie within the map's box"
        return Finding("origin", Level.FAIL, message, hint, values)
    if 2 <= control <= here < control + 0.5:
        message = f"the model lies in density but fits hardly better than shifted: {text}"
        return Finding("origin", Level.WARN, message, "at low resolution this is to be expected", values)
    if here < control + 0.5:
        return Finding("origin", Level.FAIL, f"the model does not sit in the density: {text}", hint, values)
    if inside < 0.95:
        return Finding(
            "origin", Level.WARN, f"{1 - inside:.0%} of the model lie outside of the box; {text}", hint, values
        )
    return Finding("origin", Level.OK, f"the model sits in the density: {text}", values=values)


def check_hand(inputs: Inputs, stats: Statistics) -> Finding:
    """Whether the map is the mirror image: by the model's own helices, and by the model mirrored in the box."""
    if inputs.model is None or not len(inputs.model.trace_atoms()):
        message = "not tested: needs a model; a map alone does not tell its hand"
        return Finding("hand", Level.SKIP, message, "give --model, or trace both hands (map.flip) and compare")
    left, right = helix_turns(inputs.model)
    if left > right:
        message = f"{left} of the model's {left + right} helical turns are left-handed: map and model are mirror images"
        return Finding(
            "hand", Level.FAIL, message, "flip the map (map.flip) and build again", {"left": left, "right": right}
        )
    trace = inputs.model.trace_atoms().xyz
    here = _sigma(inputs.density, trace, stats)
    mirrored = max(_sigma(inputs.density, xyz, stats) for xyz in mirror_images(inputs.density, trace))
    values = {"sigma": here, "mirrored_sigma": mirrored, "left_turns": left, "right_turns": right}
    text = f"density at the model {here:.2f} σ, at its best mirror image in the box {mirrored:.2f} σ"
    if mirrored > here + 0.5:
        return Finding(
            "hand", Level.FAIL, f"the map looks like the other hand: {text}", "flip the map (map.flip)", values
        )
    if here < mirrored + 0.5:
        message = f"not tested: the model fits both hands alike: {text}"
        return Finding("hand", Level.SKIP, message, "see the line on the origin", values)
    return Finding("hand", Level.OK, f"the map has the model's hand: {text}", values=values)


def helix_turns(model: Model) -> tuple[int, int]:
    """Left- and right-handed turns: runs of four Cα with the distances of an α helix, by their pseudo-torsion."""
    trace = model.trace_atoms()
    xyz, n = trace.xyz, len(trace)
    if n < 4:
        return 0, 0
    runs = (trace.chain[3:] == trace.chain[:-3]) & (trace.residue_number[3:] - trace.residue_number[:-3] == 3)
    steps = np.diff(xyz, axis=0)
    apart = np.linalg.norm(xyz[3:] - xyz[:-3], axis=1)
    bonded = np.abs(np.linalg.norm(steps, axis=1) - 3.8) < 0.4
    helical = runs & (np.abs(apart - 5.1) < 0.6) & bonded[:-2] & bonded[1:-1] & bonded[2:]
    volume = np.einsum("ij,ij->i", np.cross(steps[:-2], steps[1:-1]), steps[2:])
    return int(np.count_nonzero(helical & (volume < 0))), int(np.count_nonzero(helical & (volume > 0)))


def mirror_images(density: DensityMap, xyz: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Points reflected as a map is when its hand is flipped: along one axis of the box, or along all three."""
    ends = density.frame.to_xyz([(0, 0, 0), [n - 1 for n in density.frame.shape_zyx]])
    for axes in ([0], [1], [2], [0, 1, 2]):
        image = xyz.copy()
        image[:, axes] = ends.sum(axis=0)[axes] - image[:, axes]
        yield image


def check_cost(inputs: Inputs, contour: float) -> Finding:
    """Memory of detection, from the voxels above the contour."""
    density = inputs.density
    above = int(np.count_nonzero(density.values > contour))
    megabytes = (2 * density.values.nbytes + SHIFT_BYTES * above) / 1e6
    values = {"voxels_above": above, "megabytes": megabytes, "contour": contour}
    message = f"{above} voxels above {contour:.4g}: finding points in them takes about {megabytes:.0f} MB"
    free = _free_megabytes()
    if free is not None and megabytes > free:
        message = f"{megabytes:.0f} MB are needed, {free:.0f} MB are free; {message}"
        return Finding("cost", Level.WARN, message, "crop the map (map.crop) or raise the contour", values)
    if above > density.values.size // 4:
        message = f"a quarter of the box lies above {contour:.4g}; {message}"
        return Finding("cost", Level.WARN, message, "raise the contour", values)
    return Finding("cost", Level.OK, message, values=values)


def _sigma(density: DensityMap, xyz: NDArray[np.float64], stats: Statistics) -> float:
    """Mean density at points that lie in the box, in standard deviations above the map's mean."""
    values = interpolate(density.values, density.frame, xyz, outside=stats.mean)
    return float((values.mean() - stats.mean) / stats.sd)


def _free_megabytes() -> float | None:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (ValueError, OSError, AttributeError):  # the system does not tell
        return None
