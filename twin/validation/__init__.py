"""Verification and validation: the solver against exact solutions, benchmarks and measured rooms."""
