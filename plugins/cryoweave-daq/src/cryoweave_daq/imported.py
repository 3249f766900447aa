"""Probabilities that another program predicted."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cryoweave.data import Frame
from cryoweave.errors import InputError
from cryoweave.io.content import read_content
from cryoweave_daq.classes import CLASSES, SPLITS

COLUMNS = 3 + len(CLASSES)
SUM = 1e-2
"""How far the probabilities of a head may be from 1 in sum; DAQ prints 8 digits."""
_HINT = "give the prediction.txt of DAQ or the .npy of DAQplugin, whole"


def read_prediction(path: Path, frame: Frame) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Positions in Å, ``(n, 3)``, and probabilities, ``(n, 29)``.

    Parameters
    ----------
    path
        ``prediction.txt``, also compressed: lines of x, y, z (voxels of the 1 Å map) and 29 probabilities. Or ``.npy``,
        ``(n, 32)``: x, y, z in Å, then 29 probabilities, or the log ratios that DAQplugin writes.
    frame
        Of the map with voxels of 1 Å.

    Raises
    ------
    InputError
        If the file is no such table, or belongs to another map.
    """
    array = path.suffix.lower() == ".npy"
    table = _read_array(path) if array else _read_text(path)
    if not len(table):
        raise InputError(f"{path} holds no prediction", _HINT)
    if not np.isfinite(table).all():
        row = int(np.flatnonzero(~np.isfinite(table).all(axis=1))[0])
        raise InputError(f"{path}: row {row + 1} lacks a number or holds one that is not finite", _HINT)
    at, values = table[:, :3], table[:, 3:]
    if not array and (at != np.round(at)).any():
        raise InputError(f"{path}: x, y and z are not whole voxels", _HINT)
    xyz = at if array else frame.to_xyz(at[:, ::-1])
    _check_place(path, xyz, frame)
    if array and (values < 0).any():
        values = _undone(path, values)
    _check_heads(path, values)
    return xyz, values.astype(np.float32)


def _read_text(path: Path) -> NDArray[np.float64]:
    content = read_content(path)
    if not content.strip():
        raise InputError(f"{path} is empty", _HINT)
    try:
        table = pd.read_csv(io.BytesIO(content), header=None, dtype=np.float64)
    except (ValueError, UnicodeDecodeError) as error:  # pandas' own errors are ValueErrors
        raise InputError(f"{path} is no table of numbers: {str(error).strip()}", _HINT) from error
    values: NDArray[np.float64] = table.to_numpy()
    if values.shape[1] == COLUMNS + 1 and np.isnan(values[:, COLUMNS]).all():  # the comma at the end of each line
        values = values[:, :COLUMNS]
    if values.shape[1] != COLUMNS:
        raise InputError(f"{path} has {values.shape[1]} columns, wanted {COLUMNS}", _HINT)
    return values


def _read_array(path: Path) -> NDArray[np.float64]:
    try:
        found = np.lib.format.read_array(io.BytesIO(read_content(path)), allow_pickle=False)
    except (ValueError, MemoryError) as error:
        raise InputError(f"{path} is no array of numbers: {error}", _HINT) from error
    if (
        not isinstance(found, np.ndarray)
        or found.ndim != 2
        or found.shape[1] != COLUMNS
        or found.dtype.kind not in "fiu"
    ):
        raise InputError(f"{path} does not hold numbers of shape (n, {COLUMNS})", _HINT)
    return found.astype(np.float64)


def _check_place(path: Path, xyz: NDArray[np.float64], frame: Frame) -> None:
    zyx = frame.to_zyx(xyz)
    outside = ((zyx < -0.5) | (zyx > np.array(frame.shape_zyx) - 0.5)).any(axis=1)
    if outside.any():
        raise InputError(
            f"{path}: {int(outside.sum())} of {len(xyz)} points lie outside of the map",
            "give the map that the prediction was made from",
        )


def _check_heads(path: Path, values: NDArray[np.float64]) -> None:
    for head in np.split(values, SPLITS, axis=1):
        wrong = (head < 0).any(axis=1) | (np.abs(head.sum(axis=1) - 1) > SUM)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise InputError(f"{path}: row {row + 1} holds no probabilities: they must be positive and sum to 1", _HINT)


def _undone(path: Path, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities from the logarithms of their ratios to a mean that the file does not tell.

    At every point mean × ratio sums to 1 over a head's classes: enough equations to find the mean.
    """
    found = []
    for head in np.split(ratios, SPLITS, axis=1):
        if head.max() > 50 or len(head) < head.shape[1]:
            raise InputError(f"{path} holds neither probabilities nor enough log ratios", _HINT)
        ratio = np.exp(head)
        mean = np.linalg.lstsq(ratio, np.ones(len(ratio)))[0]
        found.append(np.maximum(ratio * mean, 0))
    return np.concatenate(found, axis=1)
