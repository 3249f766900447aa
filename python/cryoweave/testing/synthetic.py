"""Ideal models and their maps: small inputs whose truth is known."""

from collections.abc import Sequence as Numbers

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Frame, Model, ProbabilityMaps, Sequence, SequenceSet
from cryoweave.data.residues import AMINO_ACIDS, PROTEIN_NAMES
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.simulate import simulate_blurred

TORSIONS = {"H": (-57.0, -47.0), "E": (-120.0, 130.0), "C": (-75.0, 145.0)}
"""Backbone torsions φ, ψ in degrees of helix, strand and (extended) coil."""
MARGIN = 6.0
"""Å of a grid beyond the atoms."""
_LETTERS = "AVLISTKEDQNRFYWMGHPC"
_WEIGHT = {"C": 6.0, "N": 7.0, "O": 8.0, "S": 16.0, "P": 15.0}


def ideal_model(structure: str = "H" * 16 + "C" * 4 + "E" * 8, *, letters: str = "", chain: str = "A") -> Model:
    """A backbone (N, CA, C, O, CB) with ideal bonds, angles and torsions.

    Parameters
    ----------
    structure
        One letter of ``H``, ``E``, ``C`` per residue.
    letters
        Sequence in one-letter codes; empty for one that runs through all amino acids.
    chain
        Chain id.

    Returns
    -------
    The model, residues numbered from 1, first atom near the origin.
    """
    letters = letters or "".join(_LETTERS[i % len(_LETTERS)] for i in range(len(structure)))
    main = _main_chain([TORSIONS[letter] for letter in structure])
    rows: list[tuple[str, str, int, NDArray[np.float64]]] = []
    for i, letter in enumerate(letters):
        n, ca, c = main[3 * i : 3 * i + 3]
        psi = np.radians(TORSIONS[structure[i]][1])
        atoms = {"N": n, "CA": ca, "C": c, "O": _place([n, ca, c], 1.231, np.radians(120.5), psi + np.pi)}
        if letter != "G":
            atoms["CB"] = _place([c, n, ca], 1.53, np.radians(110.4), np.radians(-122.6))
        rows += [(name, PROTEIN_NAMES[letter], i + 1, xyz) for name, xyz in atoms.items()]
    count = len(rows)
    return Model(
        xyz=np.array([row[3] for row in rows]),
        element=np.array([row[0][0] for row in rows]),
        atom_name=np.array([row[0] for row in rows]),
        residue_name=np.array([row[1] for row in rows]),
        chain=np.full(count, chain),
        residue_number=np.array([row[2] for row in rows], np.int32),
        insertion_code=np.full(count, ""),
        altloc=np.full(count, ""),
        occupancy=np.ones(count, np.float32),
        b_factor=np.full(count, 30.0, np.float32),
        hetero=np.zeros(count, bool),
    )


def sequences_of(model: Model) -> SequenceSet:
    """The sequence of each chain of a protein model, named like the chain."""
    codes = {name: letter for letter, name in PROTEIN_NAMES.items()}
    trace = model.trace_atoms()
    chains = dict.fromkeys(trace.chain.tolist())
    return SequenceSet(
        tuple(
            Sequence(name, "".join(codes[r] for r in trace.residue_name[trace.chain == name].tolist()))
            for name in chains
        )
    )


def simulated_map(
    model: Model, *, resolution: float = 4.0, voxel: float = 1.0, margin: float = 8.0, noise: float = 0.0, seed: int = 0
) -> DensityMap:
    """The model's density: one Gaussian per atom, as high as its atomic number.

    Parameters
    ----------
    model
        Where the atoms are.
    resolution
        In Å; each Gaussian has σ = 0.225 × resolution, as ChimeraX's ``molmap`` has it.
    voxel
        Spacing in Å.
    margin
        Empty space around the atoms in Å.
    noise
        Standard deviation of white noise, as a fraction of the highest density.
    seed
        Of the noise.

    Returns
    -------
    A map in whose frame the model sits; its origin is not (0, 0, 0).
    """
    low = model.xyz.min(axis=0) - margin
    shape = np.ceil((model.xyz.max(axis=0) + margin - low) / voxel).astype(int) + 1
    frame = Frame((shape[2], shape[1], shape[0]), (voxel, voxel, voxel), (low[0], low[1], low[2]))
    weight = np.array([_WEIGHT.get(element, 7.0) for element in model.element.tolist()])
    sigma = 0.225 * resolution
    values = simulate_blurred(frame, model.xyz, weight * (2 * np.pi * sigma**2) ** 1.5, sigma)
    if noise:
        values += np.random.default_rng(seed).normal(0.0, noise * values.max(), values.shape).astype(np.float32)
    return DensityMap(values, frame)


def perfect_maps(model: Model, frame: Frame | None, classes: Numbers[str]) -> ProbabilityMaps:
    """Probability maps as a perfect network would give them, float16.

    Parameters
    ----------
    model
        A protein with one Cα a residue.
    frame
        The grid; voxels of 1 Å around the model if None.
    classes
        Names; ``backbone`` is high at the Cα, an atom's name at the atoms of this name, the residue's three letters all
        around its Cα; others are 0.
    """
    if frame is None:
        low = model.xyz.min(axis=0) - MARGIN
        shape = np.ceil(model.xyz.max(axis=0) + MARGIN - low).astype(int)[::-1] + 1
        frame = Frame(tuple(shape.tolist()), (1.0, 1.0, 1.0), tuple(low.tolist()))
    trace = model.trace_atoms()
    voxels = frame.to_xyz(np.indices(frame.shape_zyx).reshape(3, -1).T)
    kinds = trace.residue_name[nearest(trace.xyz, voxels)[0][:, 0]].reshape(frame.shape_zyx)
    values = np.zeros((len(classes), *frame.shape_zyx), np.float16)
    for i, name in enumerate(classes):
        if name in AMINO_ACIDS:
            values[i] = 0.8 * (kinds == name) + 0.01
        elif len(atoms := model.xyz[model.atom_name == ("CA" if name == "backbone" else name)]):
            distance = nearest(atoms, voxels)[1].reshape(frame.shape_zyx)
            values[i] = np.exp(-0.5 * (distance / 0.9) ** 2)
    return ProbabilityMaps(values, frame, tuple(classes))


def _main_chain(torsions: Numbers[tuple[float, float]]) -> NDArray[np.float64]:
    """N, CA, C of each residue, shape ``(3n, 3)``, with Engh and Huber's bonds and angles."""
    phi = np.radians([pair[0] for pair in torsions])
    psi = np.radians([pair[1] for pair in torsions])
    atoms = [np.zeros(3), np.array([1.458, 0.0, 0.0])]
    angle = np.radians(111.0)
    atoms.append(atoms[1] + 1.525 * np.array([-np.cos(angle), np.sin(angle), 0.0]))
    for i in range(1, len(torsions)):
        atoms.append(_place(atoms[-3:], 1.329, np.radians(116.6), psi[i - 1]))
        atoms.append(_place(atoms[-3:], 1.458, np.radians(121.7), np.pi))
        atoms.append(_place(atoms[-3:], 1.525, angle, phi[i]))
    return np.array(atoms[: 3 * len(torsions)])


def _place(before: list[NDArray[np.float64]], length: float, angle: float, torsion: float) -> NDArray[np.float64]:
    """The atom ``d`` with this bond c–d, angle b–c–d and torsion a–b–c–d (radians) after a, b, c."""
    a, b, c = before
    along = (c - b) / np.linalg.norm(c - b)
    normal = np.cross(b - a, along)
    normal /= np.linalg.norm(normal)
    local = length * np.array([-np.cos(angle), np.sin(angle) * np.cos(torsion), np.sin(angle) * np.sin(torsion)])
    placed: NDArray[np.float64] = c + local @ np.array([along, np.cross(normal, along), normal])
    return placed
