"""EModelX: sampled paths of Cα, residues by the amino acids along them, gaps filled from predicted models."""
