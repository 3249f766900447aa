"""Ramachandran, Cβ deviation, ω and (with a map) EMRinger of a model by cctbx, as JSON on the standard output.

Run by a Python with cctbx-base: ``python cctbx_geometry.py MODEL [MAP]``. cctbx ignores a map's origin that is not a
whole number of voxels: give a map whose origin is zero, and the model moved along.
"""

import io
import json
import sys
from contextlib import redirect_stdout

import iotbx.pdb
from mmtbx.validation.cbetadev import cbetadev
from mmtbx.validation.omegalyze import omegalyze
from mmtbx.validation.ramalyze import ramalyze


def main(model, density=None):
    hierarchy = iotbx.pdb.input(model).construct_hierarchy()
    found = {
        "ramachandran": [
            [*identity(r), r.res_type, r.rama_type, round(r.phi, 3), round(r.psi, 3), round(r.score / 100, 7)]
            for r in ramalyze(hierarchy, out=io.StringIO()).results
        ],
        "cbeta": [[*identity(r), round(r.deviation, 4)] for r in cbetadev(hierarchy, out=io.StringIO()).results],
        "omega": [
            [*identity(r), round(r.omega, 3), r.omega_type] for r in omegalyze(hierarchy, out=io.StringIO()).results
        ],
    }
    if density:
        with redirect_stdout(io.StringIO()):
            found["emringer"] = emringer(model, density)
    json.dump(found, sys.stdout, separators=(",", ":"))


def identity(residue):
    return [residue.chain_id, int(residue.resseq), residue.icode.strip()]


def emringer(model, density):
    from iotbx.data_manager import DataManager
    from libtbx import group_args
    from mmtbx.ringer.emringer import emringer as task

    manager = DataManager()
    manager.process_model_file(model)
    manager.process_real_map_file(density)
    params = group_args(
        ignore_symmetry_conflicts=False, nproc=1, sampling_angle=5, sampling_method="spline", grid_spacing=0.2,
        scaling="sigma", skip_alt_confs=True, rolling_window_threshold=0, quiet=True, output_base=None,
    )  # fmt: skip
    stream = io.StringIO()
    run = task(manager.get_model(), None, manager.get_real_map(), params, stream)
    run.validate()
    run.run()
    score = run.scoring_result
    return {
        "score": score.score,
        "residues": score.length,
        "threshold": float(score.optimal_threshold),
        "rotameric": score.rotamer_ratio,
        "z": score.zscore_max,
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
