"""The synchronous batches of 1 to 1000 rows: begin with `merge.py`; `api/` calls it.

May import `validation`, `merge` and `db`, but not `uploads`.
"""
