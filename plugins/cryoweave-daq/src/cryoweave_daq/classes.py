"""What the network tells apart, in the order of its outputs."""

AMINO = (
    "ALA", "VAL", "PHE", "PRO", "MET", "ILE", "LEU", "ASP", "GLU", "LYS",
    "ARG", "SER", "THR", "TYR", "HIS", "CYS", "ASN", "TRP", "GLN", "GLY",
)  # fmt: skip
ATOMS = ("other", "N", "CA", "C", "O", "CB")
"""The OXT of a chain's end counts as O."""
STRUCTURE = ("helix", "strand", "coil")
HEADS = (len(AMINO), len(ATOMS), len(STRUCTURE))
"""Classes of each head; the probabilities of a head sum to 1."""
CLASSES = AMINO + ATOMS + STRUCTURE
SPLITS = (HEADS[0], HEADS[0] + HEADS[1])
"""Where an array of all classes is to be split into the heads."""
BOX = 11
"""Voxels along the edge of the box that the network sees, 1 Å each."""
