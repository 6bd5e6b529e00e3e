"""What a file looks like to the loader before it is sent: its beginning, by the loader's reader.

Nothing is kept, and no database is asked: whether keys are known shows when the file is loaded.
"""
