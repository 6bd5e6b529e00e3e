"""An embedded adapter that runs out of disk says so, and keeps what it has taken."""

import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest

from muster.broker import BrokerUnavailable
from muster.broker.sqlite import SqliteBroker
from muster.filestore import FileNotStored
from muster.filestore.folder import FolderFileStore
from muster.uploadstore.sqlite import SqliteUploadStore
from muster.weather import StoreUnavailable
from notification.channels.email.maildir import MaildirMailer
from notification.channels.email.mailer import MailError
from tests.contract.records import an_upload

LIMIT = 600_000


@contextmanager
def a_disk_of_small_files() -> Iterator[None]:
    """No file may grow beyond LIMIT bytes: writing fails in the middle, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_broker_confirms_nothing_more_and_keeps_what_it_confirmed(tmp_path: Path) -> None:
    def publish_until_full() -> None:
        while True:
            broker.publish("upload.accepted", b"x" * 1000, {})
            confirmed.append(True)

    confirmed: list[bool] = []
    with closing(SqliteBroker(f"sqlite:///{tmp_path}/broker.db")) as broker:
        with a_disk_of_small_files(), pytest.raises(BrokerUnavailable):
            publish_until_full()
        assert len(confirmed) > 3
        assert broker.depth("dbuploader").waiting == len(confirmed)
        broker.publish("upload.accepted", b"after", {})
        assert broker.depth("dbuploader").waiting == len(confirmed) + 1


def test_a_full_store_accepts_nothing_more_and_keeps_what_it_accepted(tmp_path: Path) -> None:
    def accept_until_full() -> None:
        while True:
            accepted.append(store.accept(an_upload(id=f"u-{len(accepted)}")))

    accepted: list[object] = []
    with closing(SqliteUploadStore(f"file://{tmp_path}/store")) as store:
        with a_disk_of_small_files(), pytest.raises(StoreUnavailable):
            accept_until_full()
        assert len(accepted) > 3
        assert store.unpublished(limit=10_000) == accepted
        store.accept(an_upload(id="after"))


def write(store: FolderFileStore, name: str, content: bytes) -> None:
    with store.write(name) as file:
        file.write(content)


def test_nothing_is_left_of_a_file_that_does_not_fit(tmp_path: Path) -> None:
    store = FolderFileStore(f"file://{tmp_path}/store")
    with a_disk_of_small_files(), pytest.raises(StoreUnavailable):
        write(store, "u-1", b"x" * (LIMIT + 1))
    with pytest.raises(FileNotStored):
        store.open("u-1")
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def test_a_mail_that_does_not_fit_may_be_sent_later(tmp_path: Path) -> None:
    mailer = MaildirMailer(f"maildir://{tmp_path}/mail")
    message = EmailMessage()
    message["Message-ID"] = "<a@example.com>"
    message.set_content("word " * LIMIT)
    with a_disk_of_small_files(), pytest.raises(MailError) as caught:
        mailer.send(message)
    assert not caught.value.permanent
    assert [path for path in (tmp_path / "mail").rglob("*") if path.is_file()] == []
    mailer.send(message)
