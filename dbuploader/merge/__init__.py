"""Rows into their table and its summary, within a transaction: begin with `merge.py`.

`bulk.py`, `load_data.py` and `background.py` do the same for many rows, fast, and `held.py` for
those of several small uploads. May import `db`.
"""
