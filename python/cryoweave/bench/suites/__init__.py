"""Suites that come with the project: which maps and models of a data folder, and what is made of them."""
