"""Reading an uploaded CSV file into records, by the rules of docs/csv.md.

`open_csv` fails with FileError when the file as a whole cannot be read; whatever is wrong with one
record stands in that record, and the records after it are read as if it were not there.
"""

from dbuploader.csvfile.chunk import Chunk, Numbering
from dbuploader.csvfile.options import CsvOptions, FileError
from dbuploader.csvfile.reader import CsvFile, open_csv
from dbuploader.csvfile.record import Record

__all__ = ["Chunk", "CsvFile", "CsvOptions", "FileError", "Numbering", "Record", "open_csv"]
