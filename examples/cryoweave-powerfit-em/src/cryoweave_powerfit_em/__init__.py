"""The program PowerFit (powerfit-em), as a plugin of cryoweave."""
