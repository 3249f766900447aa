"""Models from threadings."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Model, Threading, Traces
from cryoweave.data.residues import PROTEIN_NAMES
from cryoweave.data.sequences import chain_ids
from cryoweave.errors import StageError
from cryoweave.host import Context, NoParams
from cryoweave.kernels.backbone import ATOMS, BackboneRefiner
from cryoweave.kernels.grid import interpolate, require_contrast
from cryoweave_basics.planes import main_chain
from cryoweave_basics.side_chains import NO_SIDE_CHAIN, SideChain, side_chains, with_ideal_betas
from cryoweave_basics.stages import BackboneParams, TraceParams

LITTLE = 0.25
"""Share of a chain's residues below which a user is told that there is little of it."""


def alpha_carbons(threading: Threading, params: NoParams, ctx: Context) -> Model:
    """The best candidate as a Cα trace; B factor = 100 × confidence, residues numbered from 1."""
    return best_trace(threading, ctx)


def unknown_residues(traces: Traces, params: TraceParams, ctx: Context) -> Model:
    """The first candidate's fragments as chains A, B, … of UNK, numbered from 1 along each trace."""
    if not len(traces):
        raise StageError("there are no traces to build", "lower the contour, or look at the stages before it")
    parts = [traces.points_of(fragment) for fragment in next(traces.candidates())[1]]
    parts = [part for part in parts if part.stop - part.start >= params.fewest]
    if not parts:
        raise StageError(f"no trace has {params.fewest} points", "set a lower `fewest`")
    rows = np.concatenate([np.arange(part.start, part.stop) for part in parts])
    counts = [part.stop - part.start for part in parts]
    ctx.note("residues", len(rows))
    ctx.note("fragments", len(parts))
    return Model.from_trace(
        xyz=traces.xyz[rows],
        residue_name=np.full(len(rows), PROTEIN_NAMES["X"]),
        chain=np.repeat(chain_ids([""] * len(parts)), counts),
        residue_number=np.concatenate([np.arange(1, count + 1, dtype=np.int32) for count in counts]),
        b_factor=np.zeros(len(rows), np.float32),
    )


def backbone(density: DensityMap, threading: Threading, params: BackboneParams, ctx: Context) -> Model:
    """The best candidate as N, Cα, C, O and Cβ, refined in the density; else as `alpha_carbons`."""
    trace = best_trace(threading, ctx)
    require_density(density, trace)
    bonded = bonds(trace, params.bond, ctx)
    main = main_chain(trace.xyz, bonded, trace.residue_name, BackboneRefiner(density.values, density.frame), ctx)
    return assembled(trace, with_ideal_betas(main, trace.residue_name), [NO_SIDE_CHAIN] * len(trace))


def full(density: DensityMap | None, threading: Threading, params: BackboneParams, ctx: Context) -> Model:
    """As `backbone`, with side chains; without a map by geometry, rotamers and clashes alone."""
    trace = best_trace(threading, ctx)
    refiner = None
    if density is not None:
        require_density(density, trace)
        refiner = BackboneRefiner(density.values, density.frame)
    bonded = bonds(trace, params.bond, ctx)
    main = with_ideal_betas(main_chain(trace.xyz, bonded, trace.residue_name, refiner, ctx), trace.residue_name)
    return assembled(trace, main, side_chains(main, trace.residue_name, bonded, refiner, ctx))


def require_density(density: DensityMap, trace: Model) -> None:
    """Refuse a map without contrast, or in which half of the residues have no density."""
    require_contrast(density)
    if np.median(interpolate(density.values, density.frame, trace.xyz)) <= 0:
        raise StageError(
            f"half or more of the {len(trace)} Cα positions have no density above zero",
            "is this the map that the threading was made in? `build.calpha` needs none",
        )


def bonds(trace: Model, longest: float, ctx: Context) -> NDArray[np.bool_]:
    """Whether each residue is bonded to the next: the next number of the same chain, and not too far."""
    near = np.linalg.norm(np.diff(trace.xyz, axis=0), axis=1) <= longest
    bonded: NDArray[np.bool_] = near & (np.diff(trace.residue_number) == 1) & (trace.chain[1:] == trace.chain[:-1])
    ctx.note("pieces", 1 + int((~bonded).sum()))
    return bonded


def assembled(trace: Model, main: NDArray[np.float64], side: list[SideChain]) -> Model:
    """All atoms, residue by residue; names, numbers and B factors of the trace."""
    names, parts = [], []
    for residue_name, own, (beyond, xyz) in zip(trace.residue_name.tolist(), main, side, strict=True):
        kept = len(ATOMS) - (residue_name == "GLY")
        names.append([*ATOMS[:kept], *beyond])
        parts.append(np.concatenate((own[:kept], xyz)))
    residue = np.repeat(np.arange(len(trace)), [len(one) for one in names])
    atom_name = np.concatenate(names)
    return replace(
        trace.select(residue),
        xyz=np.concatenate(parts),
        atom_name=atom_name,
        element=np.array([name[0] for name in atom_name.tolist()]),
    )


def best_trace(threading: Threading, ctx: Context) -> Model:
    """One Cα a residue of the best candidate, in the order of the sequences.

    Raises
    ------
    StageError
        If the candidate holds no residue, or one of RNA or DNA.
    """
    if not len(threading) or threading.rows_of(0).start == threading.rows_of(0).stop:
        raise StageError("the threading holds no residue", "lower the contour, or look at the stages before it")
    rows = threading.rows_of(0)
    chain, residue = threading.chain[rows], threading.residue[rows]
    molecules = [sequence.molecule for sequence in threading.sequences.sequences for _ in range(sequence.copies)]
    others = sorted({molecules[c] for c in np.unique(chain)} - {"protein"})
    if others:
        raise StageError(
            f"the threading holds residues of {' and '.join(others).upper()}", "only proteins can be built yet"
        )
    order = np.lexsort((residue, chain))
    chain, residue = chain[order], residue[order]
    letters = [letters for letters, _ in threading.chains()]
    ids = threading.chain_ids()
    _warn_of_missing(threading, chain, ctx)
    ctx.note("residues", len(residue))
    ctx.note("origin", threading.origin[0])
    return Model.from_trace(
        xyz=threading.xyz[rows][order],
        residue_name=np.array([PROTEIN_NAMES[letters[c][r]] for c, r in zip(chain, residue, strict=True)]),
        chain=np.array([ids[c] for c in chain]),
        residue_number=residue + 1,
        b_factor=100 * threading.confidence[rows][order],
        b_is_confidence=True,
    )


def _warn_of_missing(threading: Threading, chain: NDArray[np.int32], ctx: Context) -> None:
    """Say of which chains nothing is there, or little: one too many, or one that was not seen, or no protein."""
    built = np.bincount(chain, minlength=len(threading.chains()))
    for sequence, numbers in threading.sequences.alike():
        if sequence.molecule != "protein":
            ctx.log.warning(f"{sequence.name} is {sequence.molecule.upper()} and is not built: only proteins are")
            continue
        counts = sorted(int(built[number]) for number in numbers)
        few = [count for count in counts if count < LITTLE * len(sequence)]
        if few:
            told = f"{', '.join(map(str, few))} of its {len(sequence)} residues"
            which = f"in {len(few)} of {len(numbers)} chains" if len(numbers) > 1 else "in the chain"
            ctx.log.warning(
                f"{sequence.name}: only {told} are built {which}; is it in the map, and is the number of copies right?"
            )
