"""The loader: checks uploads row by row and loads them exactly once."""

# Before pyarrow, whatever imports that first: after it the loader of libraries has no room left for
# the thread-local variables of MySQL's driver ("cannot allocate memory in static TLS block",
# https://github.com/conda-forge/arrow-cpp-feedstock/issues/636).
import _mysql_connector  # type: ignore[import-not-found]  # noqa: F401
