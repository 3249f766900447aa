"""The table of poses, and what the models that they place are called."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Poses
from cryoweave.errors import InputError
from cryoweave.io.tables import header_of, read_table, write_table

TABLE = "poses.tsv"
FITTED = "fit_{:02d}.cif"
"""Names of the models that the best poses place, by rank."""
_RANK = "rank"
_ROTATION = [f"r{row}{column}" for row in "123" for column in "123"]
_TRANSLATION = ["tx", "ty", "tz"]
_PLACE = ["model", "score", *_ROTATION, *_TRANSLATION]


def write_pose_table(folder: Path, poses: Poses, *, decimals: int | None = None) -> None:
    """Write `TABLE`, a row for each pose: bit by bit, or rounded and with a rank from 1.

    Raises
    ------
    InputError
        If a measure has the name of another column.
    """
    clash = sorted(set(poses.measures) & {_RANK, *_PLACE})
    if clash:
        raise InputError(f"no measure may be named {clash[0]!r}", "choose another name")
    table: dict[str, NDArray[Any]] = {
        "model": poses.model,
        "score": poses.score,
        **poses.measures,
        **dict(zip(_ROTATION, poses.rotation.reshape(-1, 9).T, strict=True)),
        **dict(zip(_TRANSLATION, poses.translation.T, strict=True)),
    }
    if decimals is not None:
        rounded = {key: np.round(one, decimals) if one.dtype.kind == "f" else one for key, one in table.items()}
        table = {_RANK: np.arange(1, len(poses) + 1), **rounded}
    write_table(folder / TABLE, table)


def read_pose_table(folder: Path) -> Poses:
    """Read what `write_pose_table` wrote.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    measures = [name for name in header_of(folder / TABLE) if name not in {_RANK, *_PLACE}]
    table = read_table(folder / TABLE, {"model": np.str_, **dict.fromkeys([*_PLACE[1:], *measures], np.float64)})
    rotation = np.stack([table[name] for name in _ROTATION], axis=1).reshape(-1, 3, 3)
    translation = np.stack([table[name] for name in _TRANSLATION], axis=1)
    return Poses(rotation, translation, table["score"], table["model"], {name: table[name] for name in measures})
