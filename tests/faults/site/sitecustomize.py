"""Imported by each process whose PYTHONPATH begins with this folder: puts the faults in."""

from tests.faults.process import install

install()
