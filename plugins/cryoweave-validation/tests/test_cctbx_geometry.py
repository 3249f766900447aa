"""The figures that are kept as goldens are those that cctbx gives."""

import json
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from cryoweave.data import DensityMap, Frame
from cryoweave.io.maps import read_map, write_map
from cryoweave.io.model_writing import write_model
from cryoweave.io.models import read_model

CASES = {
    "7cec_A": ("emd30342_integrin/7cec_A.cif.gz", "emd30342_integrin/emd_30342_A_z4.mrc.gz"),
    "3j6b_9": ("emd2566_3j6b9/3J6B_9.pdb", "emd2566_3j6b9/2566_3J6B_9.mrc.gz"),
}


@pytest.mark.parametrize("case", CASES)
def test_goldens_are_what_cctbx_says(shared, golden, oracles, tmp_path, case):
    python = oracles / "cctbx" / "bin" / "python"
    if not python.exists():
        pytest.skip("there is no environment with cctbx")
    model, density = read_model(shared / "maps" / CASES[case][0]), read_map(shared / "maps" / CASES[case][1])
    frame = density.frame
    write_map(
        tmp_path / "map.mrc", DensityMap(density.values, Frame(frame.shape_zyx, frame.voxel_xyz, (0.0, 0.0, 0.0)))
    )
    write_model(tmp_path / "model.cif", replace(model, xyz=model.xyz - np.array(frame.origin_xyz)))
    script = golden.parent / "oracles" / "cctbx_geometry.py"
    command = [str(python), str(script), "model.cif", "map.mrc"]
    found = json.loads(subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout)
    kept = json.loads((golden / f"cctbx_{case}.json").read_text())
    for block in ("ramachandran", "cbeta", "omega"):
        assert len(found[block]) == len(kept[block])
        for ours, theirs in zip(found[block], kept[block], strict=True):
            assert ours[:3] == theirs[:3]
            assert ours[3:] == pytest.approx(theirs[3:], abs=0.2)  # written coordinates are rounded
    for name, value in kept["emringer"].items():
        assert found["emringer"][name] == pytest.approx(value, rel=0.02)
