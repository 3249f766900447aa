"""Rigid fitting that belongs to no published method: the default search, scores of every pose, models placed."""
