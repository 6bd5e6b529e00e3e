"""The journal: every change of rows, what it wrote, and the rows as they were before.

It is written in the transaction of the rows, by `changes.py`; `receipts.py` signs how each upload
was decided, and `impact.py` tells what it changes in the answers to the hiring questions. Imports
`merge` and `db`.
"""
