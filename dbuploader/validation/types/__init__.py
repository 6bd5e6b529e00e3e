"""Each column type's rules: those of one cell, and beside them those of a column of cells."""
