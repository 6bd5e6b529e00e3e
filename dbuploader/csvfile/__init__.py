"""Bytes to records, by the rules of docs/csv.md: begin with `reader.py`.

What is wrong with one record stands in that record; FileError ends the whole file. `irregular.py`
and `chunks.py` are the fast way, by columns. Imports nothing else of this service.
"""
