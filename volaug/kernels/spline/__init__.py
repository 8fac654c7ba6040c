"""Cubic B-splines: coefficients of volumes, points and determinants of a lattice."""
