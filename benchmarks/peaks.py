"""Local maxima (26 neighbours, above a threshold): ours against scikit-image and SciPy."""

from functools import partial

import bench
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from skimage.feature import peak_local_max

from cryoweave.kernels.peaks import local_maxima


def scikit_image(values: NDArray[np.float32]) -> NDArray[np.intp]:
    """By scikit-image; it keeps all voxels of a plateau."""
    return peak_local_max(values, min_distance=1, threshold_abs=bench.THRESHOLD, exclude_border=False)


def scipy(values: NDArray[np.float32]) -> NDArray[np.intp]:
    """By SciPy's filter of maxima; it keeps all voxels of a plateau."""
    return np.argwhere((maximum_filter(values, size=3, mode="nearest") == values) & (values > bench.THRESHOLD))


def main() -> None:
    """The table."""
    bench.row(
        "box", "above", "peaks", "skimage s", "SciPy s", "ours 1 s", "ours 2 s", "skimage/1", "SciPy/1", "SciPy/2"
    )
    for edge in (64, 128, 256):
        values = bench.protein_map(edge)
        peaks = local_maxima(values, bench.THRESHOLD)
        for theirs in (scipy(values), scikit_image(values)):
            assert set(map(tuple, peaks.tolist())) <= set(map(tuple, theirs.tolist()))
        best, _ = bench.by_turns(
            {
                "skimage": partial(scikit_image, values),
                "scipy": partial(scipy, values),
                "one": bench.with_threads(1, local_maxima, values, bench.THRESHOLD),
                "two": bench.with_threads(2, local_maxima, values, bench.THRESHOLD),
            },
            5,
        )
        bench.row(
            f"{edge}³", int((values > bench.THRESHOLD).sum()), len(peaks), *best.values(),
            best["skimage"] / best["one"], best["scipy"] / best["one"], best["scipy"] / best["two"],
        )  # fmt: skip


if __name__ == "__main__":
    main()
