"""What the networks tell apart, in the order of their outputs, and what they are given."""

METHOD = "cryoread"
FIRST_FILE, SECOND_FILE = "stage1_network.pth", "stage2_network.pth"
CHAIN = ("sugar", "P", "base", "protein")
"""The first network's first output; ``P`` is the phosphate group."""
BASES = ("base_A", "base_UT", "base_C", "base_G", "base_T")
"""Its second output; the last is joined with ``base_UT``, the higher of the two."""
CLASSES = ("sugar", "P", "base_A", "base_UT", "base_C", "base_G", "protein", "base")
"""The second network's output, which is what the stage gives."""
BOX, STRIDE = 64, 16
"""Voxels of 1 Å: edge of a box, and steps from box to box."""
BRIGHT = 0.98
"""Share of the logarithmic histogram below the density that counts as 1."""
LEAST = 0.001
"""Share of a box's voxels that must lie above the contour, and of values that must be likely for the second network."""
LIKELY = 0.5
