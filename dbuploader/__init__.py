"""The loader: checks uploads row by row and loads them exactly once."""
