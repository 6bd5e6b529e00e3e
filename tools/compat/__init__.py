"""Runs the README's commands on other systems, servers and Pythons: `python -m tools.compat`.

Of Python's own library alone, so that nothing is installed for it.
"""
