"""A process that may open no more files: every adapter says so in its own words, and recovers."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from gateway.errors import UpstreamUnavailable
from gateway.proxy.upstream import Upstream
from muster.broker import BrokerUnavailable, open_broker
from muster.database import DatabaseUnavailable, open_database
from muster.filestore import open_file_store
from muster.uploadstore import open_upload_store
from muster.weather import StoreUnavailable
from notification.channels.email.mailer import MailError, open_mailer
from tests.scarcity import no_more_files

Call = Callable[[], object]
# Nobody listens there: without too few files it would be refused.
NOWHERE = "127.0.0.1:1"


@contextmanager
def call_of(kind: str, home: Path) -> Iterator[Call]:
    """A call that opens a file or a connection."""
    match kind:
        case "sqlite broker":
            with closing(open_broker(f"sqlite:///{home}/broker.db")) as broker:
                yield lambda: broker.publish("upload.accepted", b"", {})
        case "rabbitmq":
            with closing(open_broker(f"amqp://user:secret@{NOWHERE}/muster")) as broker:
                yield lambda: broker.publish("upload.accepted", b"", {})
        case "file store":
            with closing(open_file_store(f"file://{home}/store")) as files:
                yield lambda: files.write("u-1").__enter__()
        case "records":
            with closing(open_upload_store(f"file://{home}/store")) as store:
                yield lambda: store.unpublished(1)
        case "mongodb":
            url = f"mongodb://{NOWHERE}/muster?serverSelectionTimeoutMS=300"
            with closing(open_upload_store(url)) as store:
                yield lambda: store.unpublished(1)
        case "sqlite":
            with closing(open_database(f"sqlite:///{home}/service.db")) as database:
                yield database.check
        case "mysql":
            with closing(open_database(f"mysql://user:secret@{NOWHERE}/muster")) as database:
                yield database.check
        case "maildir":
            mailer, message = open_mailer(f"maildir://{home}/mail"), mail()
            yield lambda: mailer.send(message)
        case "smtp":
            mailer, message = open_mailer(f"smtp://{NOWHERE}"), mail()
            yield lambda: mailer.send(message)
        case "http":
            upstream = Upstream("queries", f"http://{NOWHERE}", 1)
            with closing(upstream):
                yield lambda: upstream.send("POST", "/", headers={}, body=b"", client_address="")


def mail() -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Message-ID"] = "a@b.c", "d@e.f", "<1@b.c>"
    message.set_content("done")
    return message


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("sqlite broker", BrokerUnavailable),
        ("rabbitmq", BrokerUnavailable),
        ("file store", StoreUnavailable),
        ("records", StoreUnavailable),
        ("mongodb", StoreUnavailable),
        ("sqlite", DatabaseUnavailable),
        ("mysql", DatabaseUnavailable),
        ("maildir", MailError),
        ("smtp", MailError),
        ("http", UpstreamUnavailable),
    ],
)
def test_an_adapter_that_may_open_no_file_is_unavailable(
    kind: str, error: type[Exception], tmp_path: Path
) -> None:
    with call_of(kind, tmp_path) as call, no_more_files(), pytest.raises(error) as caught:
        call()
    assert not getattr(caught.value, "permanent", False)
