"""The spine: each accepted upload, from its message to its final state, loaded exactly once.

Begin with `processor.py`, then `attempt.py`, `load.py` and `ledger.py`; `run.py` loads several
small uploads at once. May import every folder below it (`journal`, `validation`, `merge`,
`csvfile`, `db`), but not `batches`.
"""
