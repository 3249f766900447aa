"""DAQ (Terashi et al. 2022): how well the local density agrees with each residue's type and Cα."""
