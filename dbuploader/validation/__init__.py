"""Records to rows or rejects: begin with `file.py`; each column type's rules are in `types/`.

`chunks.py` is the fast way, by columns: `rows.py` defines what is right. Rows and rejects are kept
on disk meanwhile. May import `csvfile` and `db`.
"""
