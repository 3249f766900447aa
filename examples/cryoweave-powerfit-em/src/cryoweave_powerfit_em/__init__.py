"""A model without waters and ligands, by the program gemmi, as a plugin of cryoweave."""
