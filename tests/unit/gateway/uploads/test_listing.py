"""GET /v1/uploads by file name, time, person and what is corrected; what one request looks at."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from gateway.uploads import listing
from muster.contracts.uploads import State
from muster.stores import Stores
from tests.contract.records import an_upload
from tests.unit.gateway.fakes import ADMIN, ANA

START = datetime(2021, 11, 7, tzinfo=UTC)


@pytest.fixture
def uploads(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """One an hour, of two users and of three names; the last one mends the first."""
    monkeypatch.setattr(listing, "_AT_ONCE", 4)
    for number in range(40):
        owner = "ana" if number % 4 else "bob"
        stores.uploads.accept(
            an_upload(
                id=f"u{number}",
                owner=owner,
                submitted_by=f"{owner}@example.com",
                filename=f"{('Payroll', 'jobs', 'ÉQUIPE')[number % 3]} {number}.csv",
                table=("jobs", "departments")[number % 2],
                submitted_at=START + timedelta(hours=number),
                previous="u1" if number == 39 else None,
            )
        )


def pages(client: FlaskClient, who: dict[str, str] = ADMIN, **query: Any) -> Iterator[list[int]]:
    url = "/v1/uploads?"
    answer = client.get(url, query_string=query, headers=who)
    while True:
        assert answer.status_code == 200, answer.get_json()
        yield [int(each["id"][1:]) for each in answer.get_json()["uploads"]]
        if "Link" not in answer.headers:
            assert answer.get_json()["next"] is None
            return
        link, _, relation = answer.headers["Link"].partition("; ")
        assert relation == 'rel="next"'
        assert urlsplit(link[1:-1]).path == "/v1/uploads"
        answer = client.get(link[1:-1], headers=who)


def found(client: FlaskClient, who: dict[str, str] = ADMIN, **query: Any) -> list[int]:
    return [number for page in pages(client, who, **query) for number in page]


@pytest.mark.usefixtures("uploads")
@pytest.mark.parametrize("looked_through", [2000, 8])
def test_each_filter_and_all_together_page_through_what_they_say(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, looked_through: int
) -> None:
    monkeypatch.setattr(listing, "LOOKED_THROUGH", looked_through)
    newest = [*range(39, -1, -1)]
    assert found(client) == newest
    assert found(client, filename="PAYROLL", limit=3) == [n for n in newest if n % 3 == 0]
    assert found(client, filename="équi") == [n for n in newest if n % 3 == 2]
    assert found(client, filename="nothing") == []
    assert found(client, submitted_after="2021-11-07T10:00:00Z") == newest[:30]
    assert found(client, submitted_before="2021-11-07T10:00:00Z", limit=7) == newest[30:]
    # The plus of the offset unescaped, as people write it.
    assert found(client, submitted_before="2021-11-07T12:00:00 02:00") == newest[30:]
    assert found(client, submitted_after="2021-11-08") == newest[:16]
    assert found(client, submitted_by="Bob@example.com") == [n for n in newest if n % 4 == 0]
    assert found(client, ANA, submitted_by="bob@example.com") == []
    assert found(client, previous="u1") == [39]
    assert found(client, ANA, previous="u2") == []
    assert found(
        client,
        ANA,
        filename="jobs",
        table="departments",
        state=State.QUEUED.value,
        submitted_after="2021-11-07T05:30:00Z",
        submitted_before="2021-11-08T10:00:00.000Z",
    ) == [n for n in newest if n % 3 == 1 and n % 2 and n % 4 and 5 < n < 34]


@pytest.mark.usefixtures("uploads")
def test_one_request_looks_through_so_many_at_most(
    client: FlaskClient, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LOOKED_THROUGH", 12)
    looked_at = 0
    find = stores.uploads.find

    def counted(**query: Any) -> Any:
        nonlocal looked_at
        records = find(**query)
        looked_at += len(records)
        return records

    monkeypatch.setattr(stores.uploads, "find", counted)
    assert [len(page) for page in pages(client, filename="payroll 0.csv", limit=3)] == [0, 0, 0, 1]
    looked_at = 0
    next(pages(client, submitted_before="2021-11-07T01:00:00Z", limit=3))
    assert looked_at < 20


@pytest.mark.parametrize(
    "query",
    [
        {"submitted_after": "1636243200"},
        {"submitted_after": "yesterday"},
        {"submitted_before": "2021-13-07"},
        {"submitted_before": "2021-11-07T10:00:00"},
        {"filename": ""},
        {"filename": "x" * 256},
    ],
)
def test_what_is_no_filter_is_refused_by_name(client: FlaskClient, query: dict[str, str]) -> None:
    answer = client.get("/v1/uploads", query_string=query, headers=ADMIN)
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["field"] in query
