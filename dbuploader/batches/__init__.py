"""The synchronous batches of 1 to 1000 rows: begin with `views.py`, then `merge.py`.

May import `validation`, `merge` and `db`, but not `uploads`.
"""
