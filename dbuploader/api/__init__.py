"""HTTP in: batches of rows (`views.py`), the history of a row (`history.py`) and `receipts.py`.

May import `services` and what is below it.
"""
