"""URLs of the MongoDB store: what is wrong is said without the password; none weakens a promise."""

import traceback
from contextlib import closing
from urllib.parse import urlsplit, urlunsplit

import pytest

from muster.adapters import ConfigurationError
from muster.stores import open_stores
from muster.uploadstore import KeyTaken, open_upload_store
from muster.weather import StoreUnavailable
from tests.contract.records import an_upload


def shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("mongodb://ana:s3cret@host", "names no database"),
        ("mongodb://ana:s3cret@host/?w=1", "names no database"),
        ("mongodb://ana:s3cret/more@host/muster", "as %XX"),
        ("mongodb://ana:s3cret%@host/muster", "as %XX"),
        ("mongodb://ana:s3cret@host:port/muster", "Port"),
        ("mongodb://ana:s3cret@host/muster?nosuch=1", "nosuch"),
        ("mongodb://ana:s3cret@host/muster?socketTimeoutMS=soon", "(?i)sockettimeoutms"),
        ("mongodb://ana:s3cret@/muster", "host"),
    ],
)
def test_a_url_that_can_not_be_used_says_why_without_its_password(url: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        open_upload_store(url)
    assert "s3cret" not in shown(caught.value)


def test_an_outage_is_told_without_the_password() -> None:
    url = "mongodb://ana:s3cret@127.0.0.1:1/muster?serverSelectionTimeoutMS=200"
    with closing(open_upload_store(url)) as store, pytest.raises(StoreUnavailable) as caught:
        store.get("u-1")
    assert "127.0.0.1:1" in str(caught.value)
    assert "s3cret" not in shown(caught.value)


def test_opening_a_store_connects_to_nothing() -> None:
    open_upload_store("mongodb://127.0.0.1:1/muster").close()


def test_a_url_that_asks_for_less_gets_acknowledged_writes_all_the_same(
    mongodb_store_url: str,
) -> None:
    url = urlunsplit(urlsplit(mongodb_store_url)._replace(query="w=0&readConcernLevel=local"))
    with closing(open_upload_store(url)) as store:
        first = store.accept(an_upload(idempotency_key="k"))
        with pytest.raises(KeyTaken) as caught:
            store.accept(an_upload(id="u-2", idempotency_key="k"))
    assert caught.value.upload == first


def test_a_store_that_was_closed_is_unavailable(mongodb_store_url: str) -> None:
    store = open_upload_store(mongodb_store_url)
    store.accept(an_upload())
    store.close()
    with pytest.raises(StoreUnavailable):
        store.get("u-1")


def test_both_stores_at_one_url_have_one_client(mongodb_store_url: str) -> None:
    with closing(open_stores(mongodb_store_url)) as stores:
        stores.check()
        assert client_of(stores.files) is client_of(stores.uploads)


def test_files_in_another_database_have_a_client_of_their_own(mongodb_store_url: str) -> None:
    elsewhere = mongodb_store_url.replace("?", "?appName=elsewhere&")
    with closing(open_stores(mongodb_store_url, elsewhere)) as stores:
        stores.check()
        assert client_of(stores.files) is not client_of(stores.uploads)


def client_of(store: object) -> object:
    return store.connection._database.client  # type: ignore[attr-defined]
