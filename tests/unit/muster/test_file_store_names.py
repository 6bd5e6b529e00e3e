"""Names of stored files stay below the store's directory."""

from pathlib import Path

import pytest

from muster.csvstore import FileCsvStore


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "../up", "a/b", "a\\b", "/etc/passwd", "a\n", "a\0b", "ñ"]
)
def test_a_name_that_could_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    store = FileCsvStore(f"file://{tmp_path}/store")
    with pytest.raises(ValueError, match="can't be the name"):
        store.open_file(name)
    with pytest.raises(ValueError, match="can't be the name"):
        store.delete_file(name)
    with pytest.raises(ValueError, match="can't be the name"), store.write_file(name):
        pass


@pytest.mark.parametrize("name", ["a", "u-1", "u_1.rejects", "A.b.C", "a..b"])
def test_an_ordinary_name_is_taken(tmp_path: Path, name: str) -> None:
    store = FileCsvStore(f"file://{tmp_path}/store")
    with store.write_file(name) as file:
        file.write(b"x")
    assert store.file_size(name) == 1
