"""Correlation coefficients by phenix.map_model_cc's code, as JSON: MODEL MAP RESOLUTION; the map's origin must be 0."""

import json
import sys

import mmtbx.maps.map_model_cc as program
from iotbx import map_manager, pdb

model, density, resolution = sys.argv[1:]
grid = map_manager.map_manager(density)
hierarchy = pdb.input(file_name=model).construct_hierarchy()
params = program.master_params().extract().map_model_cc
params.resolution = float(resolution)
job = program.map_model_cc(grid.map_data(), hierarchy, grid.crystal_symmetry(), params)
job.validate()
job.run()
found = job.get_results()
whole = {name: getattr(found, name) for name in ("cc_box", "cc_mask", "cc_volume", "cc_peaks", "atom_radius")}
rows = [round(row.cc, 4) for row in found.cc_per_residue]
print(json.dumps({"resolution": params.resolution, **whole, "cc": rows}))
