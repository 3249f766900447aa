"""Atomic models from cryo-EM maps."""
