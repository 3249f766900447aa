"""Recipes, plans and runs: order, hashing, resume."""
