"""The file is durable before its record, the record before its message, all before the 202."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from gateway.app import build_app
from gateway.settings import Settings
from muster.contracts.uploads import Upload
from muster.filestore import FileStore
from muster.stores import Stores
from muster.uploadstore.sqlite import SqliteUploadStore
from tests.unit.gateway.fakes import ANA, CSV, FakeBroker, WordTokens


class WatchedUploads(SqliteUploadStore):
    """Notes what there is whenever a record is accepted."""

    def __init__(self, url: str, files: FileStore, broker: FakeBroker) -> None:
        super().__init__(url)
        self._files = files
        self._broker = broker
        self.seen: list[tuple[int, int]] = []

    def accept(self, upload: Upload, content: bytes | None = None) -> Upload:
        if content is None:
            with self._files.open(upload.id) as file:
                content = file.read()
            kept = None
        else:
            kept = content
        self.seen.append((len(content), len(self._broker.published)))
        return super().accept(upload, kept)


@pytest.fixture
def watched(settings: Settings, stores: Stores, broker: FakeBroker) -> Iterator[WatchedUploads]:
    with closing(WatchedUploads(settings.csv_store_url, stores.files, broker)) as uploads:
        yield uploads


@pytest.mark.parametrize("size", [8, 80_000])
def test_the_file_comes_before_its_record_and_the_record_before_its_message(
    settings: Settings, broker: FakeBroker, stores: Stores, watched: WatchedUploads, size: int
) -> None:
    client = build_app(settings, Stores(stores.files, watched), broker, WordTokens()).test_client()

    answer = client.post(
        "/v1/uploads?filename=jobs.csv", data=b"1,Clerk\n" * (size // 8), headers={**ANA, **CSV}
    )

    assert answer.status_code == 202
    assert watched.seen == [(size, 0)]
    assert len(broker.published) == 1
