"""Everything that reads and writes files; gemmi stays inside."""

from cryoweave.io.atomic import atomic_file, atomic_folder
from cryoweave.io.header import MapInfo
from cryoweave.io.maps import inspect_map, read_map, write_map
from cryoweave.io.model_writing import write_model
from cryoweave.io.models import read_model, read_models
from cryoweave.io.pymol import write_pymol
from cryoweave.io.scores import read_scores, write_scores
from cryoweave.io.sequences import read_sequences, write_sequences
from cryoweave.io.store import digest, load, save
from cryoweave.io.viewing import write_chimerax, write_coot, write_defattr

__all__ = [
    "MapInfo",
    "atomic_file",
    "atomic_folder",
    "digest",
    "inspect_map",
    "load",
    "read_map",
    "read_model",
    "read_models",
    "read_scores",
    "read_sequences",
    "save",
    "write_chimerax",
    "write_coot",
    "write_defattr",
    "write_map",
    "write_model",
    "write_pymol",
    "write_scores",
    "write_sequences",
]
