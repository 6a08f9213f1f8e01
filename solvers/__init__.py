"""Numerical solvers: arrays in, arrays out; they know no rack and no file."""
