"""CryoAlign (He et al. 2024): models placed in maps by local descriptors of point clouds."""
