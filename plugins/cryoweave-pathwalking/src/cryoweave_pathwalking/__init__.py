"""Pathwalking: pseudo-atoms in density, joined by the path of a travelling salesman."""
