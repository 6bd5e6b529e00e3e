"""A package is a listing that one can read: few modules lie beside its folders."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_LOOSE = 7


@pytest.mark.parametrize("package", ["gateway", "dbuploader", "notification", "muster"])
def test_few_modules_lie_beside_the_folders(package: str) -> None:
    loose = {path.stem for path in (ROOT / package).glob("*.py")} - {"__init__"}

    assert len(loose) <= MOST_LOOSE, f"a folder has a place for one of {sorted(loose)}"
