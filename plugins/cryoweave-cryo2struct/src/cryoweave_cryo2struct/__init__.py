"""Cryo2Struct: a sequence through detected Cα as a hidden Markov model, as published and with beliefs and skips."""
