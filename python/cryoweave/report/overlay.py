"""Several models of one map: which residues of the reference each has, and all of them in one 3-D view."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Model
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.grid import statistics
from cryoweave.kernels.pairing import own_residues
from cryoweave.kernels.symmetry import Symmetry, copies_at
from cryoweave.report import scene
from cryoweave.report.curves import COLORS
from cryoweave.report.pictures import packed

WITHIN = 3.0
"""Å: a residue is where the reference has it (the distance of all Cα figures of the field)."""
RIGHT, ELSEWHERE, MISSING = "#4575b4", "#f4a736", "#d9dde2"
"""Colours of residues that are there under their number, under another, and not."""
_MORE = ("#8c2d04", "#1b7837", "#542788", "#e7298a", "#666666", "#00798c", "#b2182b", "#5e3c99", "#a6761d")
LEFT, WIDTH, ROW = 140.0, 850.0, 16
"""Where the rows begin in a picture 1000 units wide, how wide and how high they are."""


@dataclass(frozen=True, eq=False)
class Overlay:
    """What is laid over each other.

    Parameters
    ----------
    name
        Of the map.
    density
        The map; None if it cannot be read any more.
    contour
        At which its surface is drawn; None for the mean and three deviations.
    reference
        The known model; None if there is none.
    symmetry
        Of the map: a model is compared with the copies of the reference that it has.
    models
        Name, model and place in the board's list of each recipe, the best first.
    """

    name: str
    density: DensityMap | None
    contour: float | None
    reference: Model | None
    symmetry: Symmetry | None
    models: Sequence[tuple[str, Model, int]]


@dataclass(frozen=True)
class ChainRows:
    """One chain of the reference, a row for each model.

    Parameters
    ----------
    chain, first, last, residues
        Which it is.
    picture
        PNG in base64: a row of pixels a model, a pixel a residue.
    height
        Of the picture, in the units of `WIDTH`.
    rows
        Name of each model with its shares of residues: there under their number, and there at all.
    """

    chain: str
    first: int
    last: int
    residues: int
    picture: str
    height: int
    rows: list[tuple[str, float, float]]


@dataclass(frozen=True)
class OverlayView:
    """What the page shows of an overlay.

    Parameters
    ----------
    chains
        Residue by residue; empty without a reference.
    packed
        MolViewSpec archive in base64.
    ghosts
        The models in it.
    small
        The map in it.
    look
        Where to look from.
    reference
        Whether it is there.
    """

    chains: list[ChainRows]
    packed: str
    ghosts: list[scene.Ghost]
    small: scene.SmallMap | None
    look: dict[str, Any]
    reference: bool


def color_of(place: int) -> str:
    """Colour of a recipe by its place in the board's list: the same in all pictures."""
    colors = (*COLORS, *_MORE)
    return colors[place % len(colors)]


def view_of(overlay: Overlay) -> OverlayView:
    """Pictures and 3-D view of an overlay."""
    traces = [(name, model.trace_atoms(), place) for name, model, place in overlay.models]
    identity, nowhere = np.eye(3), np.zeros(3)
    ghosts = [
        scene.Ghost(rank, name, trace, identity, nowhere, color_of(place))
        for rank, (name, trace, place) in enumerate(traces, start=1)
    ]
    known = overlay.reference.trace_atoms() if overlay.reference is not None else None
    shown = np.concatenate([trace.xyz for _, trace, _ in traces] + ([known.xyz] if known is not None else []))
    small = _small(overlay, shown)
    return OverlayView(
        chains_of(known, [(name, trace) for name, trace, _ in traces], overlay.symmetry) if known is not None else [],
        scene.text_of(scene.archive(small, None, [], overlay.reference, ghosts)),
        ghosts,
        small,
        scene.best_view(shown),
        overlay.reference is not None,
    )


def _small(overlay: Overlay, shown: NDArray[np.float64]) -> scene.SmallMap | None:
    if overlay.density is None:
        return None
    found = statistics(overlay.density.values)
    contour = overlay.contour if overlay.contour is not None else float(found.mean + 3 * found.sd)
    return scene.reduced(scene.cropped(overlay.density, shown), float(found.mean), float(found.sd), contour)


def chains_of(
    reference: Model, traces: Sequence[tuple[str, Model]], symmetry: Symmetry | None = None
) -> list[ChainRows]:
    """For each chain of the reference, which of its residues each model has.

    Parameters
    ----------
    reference, traces
        One atom a residue.
    symmetry
        Of the map: copies of the reference are as good.
    """
    near = [copies_at(reference, trace, symmetry) if symmetry else reference for _, trace in traces]
    states = [residue_states(known, trace) for known, (_, trace) in zip(near, traces, strict=True)]
    names = [name for name, _ in traces]
    found = []
    for chain in dict.fromkeys(reference.chain.tolist()):
        rows = np.flatnonzero(reference.chain == chain)
        numbers = reference.residue_number[rows]
        own = [state[rows] for state in states]
        found.append(
            ChainRows(
                str(chain),
                int(numbers[0]),
                int(numbers[-1]),
                len(rows),
                _picture(own),
                ROW * len(own),
                [(name, float((s == 2).mean()), float((s > 0).mean())) for name, s in zip(names, own, strict=True)],
            )
        )
    return found


def residue_states(reference: Model, trace: Model) -> NDArray[np.int8]:
    """Of each residue of a reference 2 if a model has it in its place, 1 if it has another there, 0 if none.

    In its place is the residue that stands for it by chain and sequence (`own_residues`), within `WITHIN`.
    """
    states = np.zeros(len(reference), np.int8)
    if not len(trace):
        return states
    states[nearest(trace.xyz, reference.xyz)[1][:, 0] <= WITHIN] = 1
    own = own_residues(trace, reference)
    mine = np.flatnonzero(own >= 0)
    gap = np.linalg.norm(trace.xyz[mine] - reference.xyz[own[mine]], axis=1)
    states[own[mine[gap <= WITHIN]]] = 2
    return states


def _picture(states: Sequence[NDArray[np.int8]]) -> str:
    colors = np.array(
        [[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in (MISSING, ELSEWHERE, RIGHT)], np.uint8
    )
    return base64.b64encode(packed(colors[np.stack(states)])).decode()
