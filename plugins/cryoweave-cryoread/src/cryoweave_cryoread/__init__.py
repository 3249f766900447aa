"""CryoREAD's detection (Wang et al. 2023): phosphate, sugar, base and protein by its published U-Nets."""
