"""What is asked of keys: whether parents are there, and which row of a file has a key first.

Memory is bounded, whatever the number of rows.
"""

from dbuploader.keys.owners import Owners, Repeats, bitmap_of
from dbuploader.keys.references import BadKeys, References

__all__ = ["BadKeys", "Owners", "References", "Repeats", "bitmap_of"]
