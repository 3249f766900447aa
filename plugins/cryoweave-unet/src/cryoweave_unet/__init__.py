"""Learned detection: a 3-D U-Net that says of every voxel which atom, fold and amino acid is there."""
