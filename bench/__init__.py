"""Measures the suite on one machine: `python -m bench [HIRES]`."""
