"""Many local fits of one structure (as ChimeraX's fitmap), and of many: which of them a density is (as DomainFit)."""
