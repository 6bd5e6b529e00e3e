"""Uploads whose files are in S3 and whose records are elsewhere: from the POST to the rejects."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from dbuploader.migrations import migrate
from dbuploader.scratch import Scratch
from dbuploader.settings import Settings as LoaderSettings
from dbuploader.uploads.processor import UploadProcessor
from dbuploader.uploads.watchdog import Watchdog
from gateway.app import create_app
from gateway.settings import Settings
from muster.broker import open_broker
from muster.database import open_database
from muster.http.tokens import authenticate_with
from muster.stores import open_stores
from tests.adapters import closed_adapters
from tests.servers.s3 import client_of
from tests.servers.templates import migrate_by_template
from tests.unit.dbuploader.suite import a_signer
from tests.unit.gateway.fakes import ANA, CSV, WordTokens

# Smaller files are kept with their records; of more than 5 MiB they go in parts.
MEDIUM, LARGE = 2_000, 220_000


class Urls:
    def __init__(self, home: Path, files: str) -> None:
        self.records = f"file://{home}/store"
        self.files = files
        self.broker = f"sqlite:///{home}/broker.db"
        self.employment = f"sqlite:///{home}/employment.db"


@pytest.fixture
def urls(tmp_path: Path, s3_store_url: str) -> Urls:
    return Urls(tmp_path, s3_store_url)


@pytest.fixture
def client(urls: Urls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FlaskClient]:
    settings = Settings(
        home=tmp_path,
        csv_store_url=urls.records,
        file_store_url=urls.files,
        broker_url=urls.broker,
    )
    with closed_adapters(monkeypatch, "gateway.app", "open_stores", "open_broker"):
        app = create_app(settings)
        authenticate_with(app, WordTokens().verify)
        yield app.test_client()


@pytest.fixture
def loader(urls: Urls, tmp_path: Path) -> Iterator[UploadProcessor]:
    settings = LoaderSettings(home=tmp_path)
    with (
        closing(open_stores(urls.records, urls.files)) as stores,
        closing(open_broker(urls.broker)) as broker,
        closing(open_database(urls.employment)) as database,
        closing(Scratch(tmp_path / "scratch")) as scratch,
    ):
        migrate_by_template(database, migrate)
        yield UploadProcessor(
            stores,
            broker,
            database,
            Event(),
            Watchdog(300),
            settings.load_limits,
            scratch,
            a_signer(),
        )


@pytest.mark.parametrize("rows", [MEDIUM, LARGE], ids=["of one call", "of parts"])
def test_a_file_is_loaded_from_the_bucket_and_its_rejects_are_there(
    client: FlaskClient, loader: UploadProcessor, urls: Urls, rows: int
) -> None:
    good = b"".join(b"%d,Department %07d\r\n" % (number, number) for number in range(1, rows))
    content = good + b"none,Nobody\r\n"
    where = "/v1/uploads?filename=departments.csv"
    answer = client.post(where, data=content, headers={**ANA, **CSV})
    assert answer.status_code == 202
    upload = f"/v1/uploads/{answer.get_json()['id']}"
    loader.process_up_to(answer.get_json()["id"])
    final = client.get(upload, headers=ANA).get_json()
    assert final["state"] == "completed_with_rejects"
    assert (final["rows"]["inserted"], final["rows"]["rejected"]) == (rows - 1, 1)
    with client.get(f"{upload}/rejects", headers=ANA) as rejects:
        header, reject = rejects.data.decode().splitlines()
    assert header.startswith("id,department,_line,")
    assert reject.startswith(f"none,Nobody,{rows},")
    with client.get(f"{upload}/file", headers=ANA) as sent_back:
        assert sent_back.data == content
    assert len(objects(urls.files)) == 2


def objects(url: str) -> list[str]:
    with closing(client_of(url)) as s3:
        found = s3.list_objects_v2(Bucket=urlsplit(url).hostname)
        return [each["Key"] for each in found["Contents"]]
