"""Rigid fits of models to maps by Gaussian mixtures, as gmfit does them (Kawabata 2008)."""
