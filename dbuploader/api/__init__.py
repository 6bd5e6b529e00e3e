"""HTTP in: batches of rows (`views.py`) and the history of a row (`history.py`).

May import `services` and what is below it.
"""
