"""What the network tells apart, in the order of its outputs."""

AMINO = (
    "ALA", "VAL", "PHE", "PRO", "MET", "ILE", "LEU", "ASP", "GLU", "LYS",
    "ARG", "SER", "THR", "TYR", "HIS", "CYS", "ASN", "TRP", "GLN", "GLY",
)  # fmt: skip
"""The order of DAQ's network, so that one table serves both."""
ATOMS = ("none", "other", "N", "CA", "C", "O", "CB")
"""Nearest atom of an amino acid; ``other`` is the side chain beyond Cβ, the OXT of a chain's end counts as O."""
NUCLEIC = ("none", "P", "sugar", "base")
"""Nearest atom of a nucleotide; ``P`` is the phosphate group."""
STRUCTURE = ("helix", "strand", "coil")
HEADS = {"atoms": ATOMS, "nucleic": NUCLEIC, "structure": STRUCTURE, "amino": AMINO}
"""Each head's classes exclude each other: its probabilities sum to 1."""
OUTPUTS = sum(len(classes) for classes in HEADS.values())
BACKBONE = "backbone"
"""The sum of N, CA, C and O."""
CHAIN = ("none", BACKBONE, "nucleic")
"""Nearest main chain where atoms are not seen: N, Cα and C of an amino acid, phosphate and sugar of a nucleotide."""
CLASSES = (BACKBONE, *ATOMS[1:], *NUCLEIC[1:], *STRUCTURE, *AMINO)
"""Classes of the probability maps."""
NONE = 0.3
"""Weight in training of voxels in which there is nothing, of which there are many."""
