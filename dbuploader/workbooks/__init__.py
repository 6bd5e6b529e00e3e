"""A sheet of a workbook as the text that `dbuploader/csvfile` reads, from a process of its own.

The process (`child.py`) only parses, without network, files or secrets, and within limits; what it
is to read, and what its rows are worth, is decided on this side. Nothing here but `sheet.py` and
`process.py` imports more than the standard library and the parser: the process starts fast.
"""
