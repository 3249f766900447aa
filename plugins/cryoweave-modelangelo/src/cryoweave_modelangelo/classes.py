"""What the network tells apart, in the order of its outputs, and what it is given."""

METHOD, FILE = "modelangelo", "chkpt.torch"
CLASSES = ("CA", "P", "backbone")
"""Each by itself: sigmoid."""
VOXEL = 1.5
"""Å, as nearly as an even number of voxels allows."""
BOX, STRIDE, RIM = 64, 16, 6
"""Voxels: edge of a box if the checkpoint does not say it, steps from box to box, what is thrown away at its faces."""
LEAST_BOX = 32
"""The network halves a box four times and needs more than one voxel then."""
