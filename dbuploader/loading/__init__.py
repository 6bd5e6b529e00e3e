"""From the checked rows of an upload to its outcome: `loader.py` reads from top to bottom."""

from dbuploader.loading.loader import Loader
from dbuploader.loading.merging import Merge

__all__ = ["Loader", "Merge"]
