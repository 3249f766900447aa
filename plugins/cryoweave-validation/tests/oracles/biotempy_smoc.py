"""SMOC, CCC and MI by BioTEMPy, as JSON: MODEL MAP RESOLUTION; the map's origin must be 0.

CCC and MI are of its exact Gaussian map (voxcov), SMOC of the one that it makes by default.
"""

import json
import sys

from TEMPy.maps.map_parser import MapParser
from TEMPy.protein.scoring_functions import FastSMOC, ScoringFunctions
from TEMPy.protein.structure_blurrer import StructureBlurrer
from TEMPy.protein.structure_parser import PDBParser

model, density, resolution = sys.argv[1], sys.argv[2], float(sys.argv[3])
target = MapParser.readMRC(density)
structure = PDBParser.read_PDB_file("model", model, hetatm=False, water=False)
blurred = StructureBlurrer(with_vc=True).gaussian_blur_real_space(structure, resolution, target, sigma_coeff=0.225)
scores = FastSMOC(structure, target, resolution).score_chain_contig(structure.atomList[0].chain, 11)
figures = {"ccc": ScoringFunctions().CCC(target, blurred), "mutual_information": ScoringFunctions().MI(target, blurred)}
print(json.dumps({"resolution": resolution, **figures, "smoc": [round(value, 4) for value in scores.values()]}))
