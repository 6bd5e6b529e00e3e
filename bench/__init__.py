"""Measures the suite on one machine, beside its alternatives: `make bench`."""
