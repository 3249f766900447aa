"""Fragments that are alternatives, put together to one model."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Threading
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.host.solver import require_solver
from cryoweave.kernels.fragments import fragment_conflicts
from cryoweave_tracing.choice import Choice
from cryoweave_tracing.copies import compact, links
from cryoweave_tracing.stages import AssembleParams

PROVEN = 1e-4
"""Share that a better choice could gain below which none is better: scores are rounded in the solver."""


def check(**_inputs: object) -> None:
    """Whether the solver is there."""
    require_solver()


def assembled(threading: Threading, params: AssembleParams, ctx: Context) -> Threading:
    """One candidate: of each residue in several chosen fragments of a chain the mean place, and the best confidence.

    Its part is that of the one it is surest in.
    """
    require_solver()
    if not len(threading):
        raise StageError("there are no fragments to put together", "look at the steps before")
    choice = as_choice(threading, params, ctx)
    chosen, copy, bound = chosen_fragments(choice, params, ctx)
    value = float(choice.score[chosen].sum())
    copy = compact(choice.only(chosen), copy, *links(threading, choice.sequence, chosen), ctx)
    ctx.note("fragments chosen", len(chosen))
    ctx.note("score", round(value, 3))
    ctx.note("bound", round(bound, 3))
    gap = max(0.0, bound - value) / max(value, 1e-9)
    proven = "yes" if gap < PROVEN else f"at most {100 * gap:.2g} % better"
    ctx.note("optimal", proven)
    if ctx.time_left() <= 0 and gap >= PROVEN:
        ctx.cut_short(f"the solver's search (others are {proven})")
    return joined(threading, choice, chosen, copy, value)


def as_choice(threading: Threading, params: AssembleParams, ctx: Context) -> Choice:
    """Candidates as fragments, each of one sequence, and their conflicts."""
    alike = [numbers for _, numbers in threading.sequences.alike()]
    copies = np.array([len(numbers) for numbers in alike])
    owner = np.zeros(int(copies.sum()), np.intp)
    for number, chains in enumerate(alike):
        owner[list(chains)] = number
    starts = np.searchsorted(threading.candidate, np.arange(len(threading) + 1))
    order = np.lexsort((threading.residue, threading.candidate))
    chain = threading.chain[order]
    sequence = owner[chain[starts[:-1]]] if len(chain) else np.zeros(0, np.intp)
    for number in range(len(threading)):
        own = chain[starts[number] : starts[number + 1]]
        if not len(own) or (own != own[0]).any():
            raise StageError(
                f"candidate {number} is no fragment: it holds {len(np.unique(own))} chains",
                "give this step fragments, e.g. of thread.ungapped",
            )
    conflicts = fragment_conflicts(
        sequence,
        np.diff(starts),
        threading.residue[order],
        threading.xyz[order],
        reach=params.reach,
        same=params.same,
        clash=params.clash,
        progress=ctx.progress,
    )
    return Choice(threading.score, sequence, copies, conflicts)


def chosen_fragments(
    choice: Choice, params: AssembleParams, ctx: Context
) -> tuple[NDArray[np.intp], NDArray[np.intp], float]:
    """The chosen fragments, the copy that each is in, and a bound that no choice exceeds.

    More fragments than the solver gets at a time are gone through best first, those chosen so far always among them.
    """
    from cryoweave_tracing.packing import best_packing

    order = np.argsort(-choice.score, kind="stable")
    order = order[choice.score[order] > 0]
    chosen = copy = np.zeros(0, np.intp)
    bound = 0.0
    left = order
    while len(left):
        new, left = left[: params.stock - len(chosen)], left[params.stock - len(chosen) :]
        kept = np.sort(np.concatenate([chosen, new]))
        start = np.full(len(kept), -1)
        start[np.searchsorted(kept, chosen)] = copy
        found = best_packing(choice.only(kept), start, params.seconds, ctx.seed, ctx.progress, ctx.time_left())
        chosen, copy = kept[found.chosen], found.copy
        bound = found.bound
        if len(order) > params.stock:
            # What was left out before could add its whole score.
            bound = float(choice.score[order].sum())
    return chosen, copy, bound


def joined(
    threading: Threading, choice: Choice, chosen: NDArray[np.intp], copy: NDArray[np.intp], value: float
) -> Threading:
    """All residues of the chosen fragments once."""
    alike = [numbers for _, numbers in threading.sequences.alike()]
    chains = [alike[s][k] for s, k in zip(choice.sequence[chosen].tolist(), copy.tolist(), strict=True)]
    rows = [np.arange(*threading.rows_of(int(one)).indices(len(threading.candidate))) for one in chosen]
    all_rows = np.concatenate(rows)
    chain = np.repeat(np.array(chains, np.int32), [len(one) for one in rows])
    residue = threading.residue[all_rows]
    places, inverse, count = np.unique(
        np.stack([chain, residue], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    inverse = inverse.reshape(-1)
    xyz = np.stack([np.bincount(inverse, threading.xyz[all_rows, axis]) / count for axis in range(3)], axis=1)
    order = np.lexsort((-threading.confidence[all_rows], inverse))
    surest = all_rows[order[np.searchsorted(inverse[order], np.arange(len(places)))]]
    origins = sorted({threading.origin[int(one)].partition(",")[0] for one in chosen})
    return Threading(
        sequences=threading.sequences,
        candidate=np.zeros(len(places), np.int32),
        chain=places[:, 0],
        residue=places[:, 1],
        xyz=xyz,
        confidence=threading.confidence[surest],
        score=np.array([value]),
        part=threading.part[surest],
        parts=threading.parts,
        origin=(f"{len(chosen)} fragments of {len(origins)} traces",),
    )
