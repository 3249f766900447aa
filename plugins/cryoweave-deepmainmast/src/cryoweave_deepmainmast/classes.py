"""What the two networks tell apart, in the order of their outputs, and what they are given."""

METHOD = "deepmainmast"
ATOM_FILE, AMINO_FILE = "Unet_Protein_Atom.pth.tar", "Unet_Protein_AA.pth.tar"
ATOMS = ("none", "N", "CA", "C", "O", "CB", "other")
"""They exclude each other: softmax."""
AMINO = (
    "ALA", "VAL", "PHE", "PRO", "MET", "ILE", "LEU", "ASP", "GLU", "LYS",
    "ARG", "SER", "THR", "TYR", "HIS", "CYS", "ASN", "TRP", "GLN", "GLY",
)  # fmt: skip
"""Each by itself: sigmoid."""
BACKBONE = "backbone"
"""The sum of N, CA, C and O."""
BOX, STRIDE = 32, 16
"""Voxels of 1 Å: edge of a box, and steps from box to box."""
BRIGHT = 0.98
"""Share of the logarithmic histogram below the density that counts as 1."""
LEAST = 0.001
"""Share of a box's voxels that must lie above the contour."""
