"""Stages that belong to no method."""
