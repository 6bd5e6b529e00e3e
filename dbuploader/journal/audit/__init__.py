"""The audit: whether ledger, journal, records, files and tables still say the same.

`python -m dbuploader.journal.audit`. Begin with `__main__.py`, which has the checks in their order;
`evidence.py` is what they read, and what they find. One check is one function, which only reads.
"""
