"""The file is durable before its record, the record before its message, all before the 202."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from gateway.app import build_app
from gateway.settings import Settings
from muster.contracts.uploads import Upload
from muster.csvstore import FileCsvStore
from tests.unit.gateway.fakes import ANA, CSV, FakeBroker, WordTokens


class WatchedStore(FileCsvStore):
    """Notes what there is whenever a record is accepted."""

    def __init__(self, url: str, broker: FakeBroker) -> None:
        super().__init__(url)
        self._broker = broker
        self.seen: list[tuple[int, int]] = []

    def accept(self, upload: Upload) -> Upload:
        self.seen.append((self.file_size(upload.id), len(self._broker.published)))
        return super().accept(upload)


@pytest.fixture
def watched_store(settings: Settings, broker: FakeBroker) -> Iterator[WatchedStore]:
    with closing(WatchedStore(settings.csv_store_url, broker)) as store:
        yield store


def test_the_file_comes_before_its_record_and_the_record_before_its_message(
    settings: Settings, broker: FakeBroker, watched_store: WatchedStore
) -> None:
    client = build_app(settings, watched_store, broker, WordTokens()).test_client()

    answer = client.post("/v1/uploads?filename=jobs.csv", data=b"1,Clerk\n", headers={**ANA, **CSV})

    assert answer.status_code == 202
    assert watched_store.seen == [(8, 0)]
    assert len(broker.published) == 1
