"""ModelAngelo's first stage (Jamali et al. 2024): Cα, P and backbone by its published network."""
