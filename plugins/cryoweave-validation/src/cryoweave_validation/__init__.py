"""Validators: what a cryo-EM reviewer expects, residue by residue."""
