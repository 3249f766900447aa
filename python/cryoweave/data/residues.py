"""Names and letters of residues."""

AMINO_ACIDS = {
    "ALA": "A", "ARG": "R", "ASN": "N", "ASP": "D", "CYS": "C", "GLN": "Q", "GLU": "E", "GLY": "G", "HIS": "H",
    "ILE": "I", "LEU": "L", "LYS": "K", "MET": "M", "PHE": "F", "PRO": "P", "SER": "S", "THR": "T", "TRP": "W",
    "TYR": "Y", "VAL": "V",
}  # fmt: skip
"""Three-letter code to one-letter code of the twenty standard amino acids."""

MODIFIED_AMINO_ACIDS = {
    "MSE": "M", "SEC": "C", "PYL": "K", "HYP": "P", "SEP": "S", "TPO": "T", "PTR": "Y", "CSO": "C", "MLY": "K",
    "M3L": "K", "CME": "C", "KCX": "K", "LLP": "K", "PCA": "Q", "HIC": "H", "CSD": "C", "OCS": "C", "HSD": "H",
    "HSE": "H", "HSP": "H", "HID": "H", "HIE": "H", "HIP": "H",
}  # fmt: skip
"""Modified residues and force fields' names, with the letter of the parent."""

NUCLEOTIDES = {
    "A": "A", "C": "C", "G": "G", "U": "U", "DA": "A", "DC": "C", "DG": "G", "DT": "T",
    "ADE": "A", "CYT": "C", "GUA": "G", "THY": "T", "URA": "U",
}  # fmt: skip

PROTEIN_NAMES = {letter: name for name, letter in AMINO_ACIDS.items()} | {"X": "UNK"}
"""One-letter code to three-letter code."""

ALPHABETS = {"protein": "ACDEFGHIKLMNPQRSTVWYX", "rna": "ACGUN", "dna": "ACGTN"}
"""Letters that a sequence of each kind of molecule may hold."""


def letter_of(residue_name: str) -> str:
    """One-letter code of a residue name; ``X`` if it is not a known amino acid or nucleotide."""
    return AMINO_ACIDS.get(residue_name) or MODIFIED_AMINO_ACIDS.get(residue_name) or NUCLEOTIDES.get(residue_name, "X")
