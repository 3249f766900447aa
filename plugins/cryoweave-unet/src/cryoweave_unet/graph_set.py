"""Graphs to learn the refiner from: made once with the detector, kept in a folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import ProbabilityMaps
from cryoweave.errors import InputError, StageError
from cryoweave_unet.classes import CLASSES
from cryoweave_unet.detect import probabilities
from cryoweave_unet.evaluate import calpha
from cryoweave_unet.graphs import Graph, Labelled, graph_of, labelled
from cryoweave_unet.prepare import VOXEL
from cryoweave_unet.samples import CALPHA, Source, simulated_box
from cryoweave_unet.weights import Detector

SIZE = 64
"""Voxels along the edge of the box of a graph."""
THRESHOLD = 0.05
"""Least Cα probability of a candidate: there are to be false ones."""
SHARD = 20
"""Graphs in a file."""


def make_graphs(
    folder: Path, source: Source, detector: Detector, count: int, progress: Callable[[int, int], object]
) -> None:
    """Add graphs to a folder until it holds so many; what is there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, count, SHARD):
        path = folder / f"graphs-{start:06d}.npz"
        progress(start, count)
        if path.exists():
            continue
        found = [one for i in range(start, start + SHARD) if (one := _graph(source, detector, i)) is not None]
        write_graphs(path, found)
    progress(count, count)


def write_graphs(path: Path, graphs: Sequence[Labelled]) -> None:
    """Write graphs to one file, whole or not at all; real numbers in float16."""
    columns: dict[str, Any] = {
        f"{name}-{i}": _small(value)
        for i, one in enumerate(graphs)
        for part in (one.graph, one)
        for name, value in ((f.name, getattr(part, f.name)) for f in fields(part))
        if name != "graph"
    }
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, count=len(graphs), **columns)
    part.replace(path)


def _small(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.float16) if values.dtype == np.float32 else values


def _graph(source: Source, detector: Detector, i: int) -> Labelled | None:
    """The ``i``-th graph; None if too little is found in its box."""
    rng = np.random.default_rng([source.seed, 1, i])
    entry = source.entries[source.drawn(rng)]
    box = simulated_box(entry, rng, SIZE, VOXEL, source.resolutions)
    logits = detector.run(box.density[None, None], lambda: None)[0]
    maps = ProbabilityMaps(probabilities(logits).astype(np.float16), box.frame, CLASSES)
    try:
        cloud = calpha(maps, THRESHOLD)
        graph = graph_of(maps, cloud)
    except (InputError, StageError):
        return None
    real = box.kept & (box.entry.atom == CALPHA)
    truth = box.entry.xyz[real].astype(np.float64)
    inside = box.frame.contains(truth)
    if box.seen is not None:
        zyx = np.rint(box.frame.to_zyx(truth[inside])).astype(int)
        inside[inside] = box.seen[tuple(zyx.T)]
    return labelled(graph, cloud.xyz, truth[inside], box.entry.amino[real][inside])


@dataclass(frozen=True)
class GraphSource:
    """Graphs of a folder in random order; sample ``i`` depends on these and ``i`` alone."""

    folder: Path
    seed: int
    paths: Sequence[Path] = field(init=False)

    def __post_init__(self) -> None:
        paths = tuple(sorted(self.folder.glob("graphs-*.npz")))
        if not paths:
            raise InputError(f"{self.folder} holds no graphs", "make some with `cryoweave detect graphs`")
        object.__setattr__(self, "paths", paths)

    @cached_property
    def graphs(self) -> list[Labelled]:
        """All of them, in memory."""
        return [one for path in self.paths for one in read_graphs(path)]

    def sample(self, i: int) -> Labelled:
        """The ``i``-th sample."""
        rng = np.random.default_rng([self.seed, i // len(self.graphs)])
        return self.graphs[int(rng.permutation(len(self.graphs))[i % len(self.graphs)])]


def read_graphs(path: Path) -> list[Labelled]:
    """The graphs of one file.

    Raises
    ------
    InputError
        If it is none of :func:`make_graphs`.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            columns = {name: _whole(file[name]) for name in file.files}
        found = []
        for i in range(int(columns["count"])):
            graph = Graph(**{one.name: columns[f"{one.name}-{i}"] for one in fields(Graph)})
            found.append(Labelled(graph, *(columns[f"{name}-{i}"] for name in ("there", "amino", "move"))))
        return found
    except Exception as error:  # NumPy tells a damaged file by many kinds of errors
        raise InputError(f"{path} holds no graphs: {error}", "remove it and make it again") from error


def _whole(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.float32) if values.dtype == np.float16 else values
