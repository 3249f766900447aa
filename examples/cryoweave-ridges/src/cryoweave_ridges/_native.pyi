import numpy as np
from numpy.typing import NDArray

def ridges(map: NDArray[np.float32], threshold: float, lines: int) -> NDArray[np.int32]: ...
