"""Complexes: the poses of all chains chosen together, and published builders on top of that."""
