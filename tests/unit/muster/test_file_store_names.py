"""Names of stored files stay below the store's directory."""

from pathlib import Path

import pytest

from muster.filestore.folder import FolderFileStore


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "../up", "a/b", "a\\b", "/etc/passwd", "a\n", "a\0b", "ñ"]
)
def test_a_name_that_could_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    store = FolderFileStore(f"file://{tmp_path}/store")
    with pytest.raises(ValueError, match="can't be the name"):
        store.open(name)
    with pytest.raises(ValueError, match="can't be the name"):
        store.delete(name)
    with pytest.raises(ValueError, match="can't be the name"), store.write(name):
        pass


@pytest.mark.parametrize("name", ["a", "u-1", "u_1.rejects", "A.b.C", "a..b"])
def test_an_ordinary_name_is_taken(tmp_path: Path, name: str) -> None:
    store = FolderFileStore(f"file://{tmp_path}/store")
    with store.write(name) as file:
        file.write(b"x")
    with store.open(name) as stored:
        assert stored.read() == b"x"
