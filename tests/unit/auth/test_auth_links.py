"""One-time links: asked for, sent once, used once."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from auth.accounts import Accounts
from auth.errors import LinkNotFound, LinkNotValid, TooManyAttempts
from auth.limits import GuessLimiter
from auth.links import Links
from auth.outbox import EmailOutbox
from auth.repository import UserStore
from auth.services import Services
from auth.users import UserChanges
from muster.broker import BrokerUnavailable
from muster.contracts.messages import EmailRequested
from muster.http.access_keys import hash_of
from muster.http.service import provided
from muster.http.tokens import Principal
from tests.unit.auth.suite import (
    EMAIL_SECRET,
    OTHER_PASSWORD,
    PASSWORD,
    AuthSuite,
    Clock,
    new_user,
)
from tests.unit.auth.test_auth_access_keys import exchange, make_key
from tests.unit.gateway.fakes import FakeBroker

BEA = {"email": "bea@example.com", "permissions": ["queries:read"]}
RESETS, INVITATIONS = "/v1/password-resets", "/v1/invitations"


def anybody(suite: AuthSuite, method: str, path: str, json: object) -> TestResponse:
    return suite.app.test_client().open(path, method=method, json=json)


def rows(suite: AuthSuite, table: str) -> list[dict[str, Any]]:
    with provided(suite.app, Services).database.read() as connection:
        found = connection.execute(text(f"SELECT * FROM {table}")).mappings()
        return [dict(row) for row in found]


def link_id(suite: AuthSuite, *, kind: str | None = None) -> str:
    """A link of that kind; ids are in no order, so there had better be one."""
    return next(str(each["id"]) for each in rows(suite, "links") if kind in {None, each["kind"]})


def fetch(suite: AuthSuite, id: str, secret: str = EMAIL_SECRET) -> TestResponse:
    return suite.call("POST", f"/internal/emails/{id}", token=secret)


def token_for_ana(suite: AuthSuite) -> str:
    assert anybody(suite, "POST", RESETS, {"email": "ana@example.com"}).status_code == 202
    return str(fetch(suite, link_id(suite)).get_json()["token"])


def use(suite: AuthSuite, token: str, path: str = RESETS, password: str = OTHER_PASSWORD) -> Any:
    return anybody(suite, "PUT", path, {"token": token, "password": password})


def test_a_forgotten_password_is_set_once_by_the_link(suite: AuthSuite) -> None:
    token = token_for_ana(suite)
    assert suite.log_in("ana@example.com").status_code == 200
    assert use(suite, token).status_code == 204
    assert suite.log_in("ana@example.com").status_code == 401
    assert suite.log_in("ana@example.com", OTHER_PASSWORD).status_code == 200
    again = use(suite, token, password=PASSWORD + " again")
    assert again.status_code == 410
    assert again.get_json()["type"] == "/docs/errors#link-not-valid"
    assert suite.log_in("ana@example.com", OTHER_PASSWORD).status_code == 200


def test_a_new_password_ends_sessions_keys_and_other_links(suite: AuthSuite) -> None:
    session, key = suite.token_of(suite.ana), make_key(suite, suite.ana, "uploads:read")["key"]
    other, token = token_for_ana(suite), token_for_ana(suite)
    assert use(suite, token).status_code == 204
    assert suite.call("GET", "/v1/me", token=session).status_code == 401
    assert exchange(suite, key).status_code == 401
    assert use(suite, other).status_code == 410


def test_an_address_that_is_not_there_is_answered_as_one_that_is(suite: AuthSuite) -> None:
    suite.call("PATCH", f"/v1/users/{suite.admin.id}", {"permissions": ["users:admin"]})
    answers = [
        anybody(suite, "POST", RESETS, {"email": email})
        for email in ("ana@example.com", "nobody@example.com", "ANA@example.com")
    ]
    assert {(answer.status_code, answer.data) for answer in answers} == {(202, b"{}\n")}
    # What is written is of one shape, too; of nobody's there is nothing to send.
    assert sorted(row["user_id"] or "" for row in rows(suite, "links")) == [
        "",
        *2 * [suite.ana.id],
    ]
    assert anybody(suite, "POST", RESETS, {"email": "no address"}).status_code == 422


def test_an_address_gets_three_emails_an_hour(suite: AuthSuite) -> None:
    for _ in range(5):
        assert anybody(suite, "POST", RESETS, {"email": "ana@example.com"}).status_code == 202
    assert sum(row["user_id"] is not None for row in rows(suite, "links")) == 3
    for expected in (202, 202, 202, 429):
        assert suite.call("POST", INVITATIONS, BEA).status_code == expected


def test_nothing_that_opens_a_link_is_kept(suite: AuthSuite) -> None:
    token = token_for_ana(suite)
    assert token not in str([rows(suite, table) for table in ("links", "link_tokens")])
    assert [row["token_hash"] for row in rows(suite, "link_tokens")] == [hash_of(token)]


def test_an_email_that_is_made_again_has_a_link_that_opens_and_so_has_the_first(
    suite: AuthSuite,
) -> None:
    first = token_for_ana(suite)
    second = fetch(suite, link_id(suite)).get_json()["token"]
    assert first != second
    assert use(suite, first).status_code == 204
    assert use(suite, second).status_code == 410


@pytest.mark.parametrize("secret", ["", "wrong", None])
def test_only_who_knows_the_secret_gets_an_email(suite: AuthSuite, secret: str | None) -> None:
    anybody(suite, "POST", RESETS, {"email": "ana@example.com"})
    if secret is None:
        settings = provided(suite.app, Services).settings
        settings.email_secret = None
    assert fetch(suite, link_id(suite), secret or "None").status_code == 401
    assert rows(suite, "link_tokens") == []


def test_whoever_is_invited_becomes_a_user_with_a_password_of_their_own(suite: AuthSuite) -> None:
    invited = suite.call("POST", INVITATIONS, BEA)
    assert invited.status_code == 202
    email = fetch(suite, link_id(suite)).get_json()
    assert (email["kind"], email["to"], email["invited_by"]) == (
        *("invitation", "bea@example.com"),
        "admin@example.com",
    )
    weak = use(suite, email["token"], INVITATIONS, "bea@example.com")
    assert (weak.status_code, weak.get_json()["errors"][0]["field"]) == (422, "password")
    assert use(suite, email["token"], RESETS).status_code == 410
    accepted = use(suite, email["token"], INVITATIONS)
    assert accepted.status_code == 201
    assert accepted.get_json()["permissions"] == ["queries:read"]
    assert suite.log_in("bea@example.com", OTHER_PASSWORD).status_code == 200
    assert use(suite, email["token"], INVITATIONS).status_code == 410
    assert suite.call("POST", INVITATIONS, BEA).status_code == 409


def test_only_administrators_invite_and_none_by_a_key(suite: AuthSuite) -> None:
    assert suite.call("POST", INVITATIONS, BEA, token=suite.token_of(suite.ana)).status_code == 403
    key = make_key(suite, suite.admin, "users:admin")["key"]
    token = exchange(suite, key).get_json()["access_token"]
    assert suite.call("POST", INVITATIONS, BEA, token=token).status_code == 403


@pytest.fixture
def links(accounts: Accounts, store: UserStore, clock: Clock) -> Links:
    guesses, requests = (GuessLimiter("guesses", "5 per minute", clock) for _ in range(2))
    return Links(store, accounts, guesses, requests, clock)


HERE = "192.0.2.1"


def ask_for(links: Links, store: UserStore, email: str = "ana@example.com") -> str:
    links.request_reset(email, HERE)
    with store.reading() as users:
        return users.links.unpublished()[-1].id


def test_a_link_is_over_after_24_hours(
    links: Links, accounts: Accounts, clock: Clock, store: UserStore
) -> None:
    accounts.add(new_user("ana@example.com"))
    id = ask_for(links, store)
    clock.now += 24 * 3600 - 1
    token = links.make_email(id).token
    clock.now += 1
    with pytest.raises(LinkNotFound):
        links.make_email(id)
    with pytest.raises(LinkNotValid):
        links.reset_password(token, OTHER_PASSWORD, HERE)


End = Callable[[Accounts, str], object]


@pytest.mark.parametrize(
    "end",
    [
        lambda accounts, id: accounts.change(id, UserChanges(disabled=True)),
        lambda accounts, id: accounts.delete(id),
    ],
)
def test_links_end_with_their_user(
    links: Links, accounts: Accounts, store: UserStore, end: End
) -> None:
    accounts.add(new_user("admin@example.com", "users:admin"))
    ana = accounts.add(new_user("ana@example.com", "users:admin"))
    id = ask_for(links, store)
    token = links.make_email(id).token
    may = frozenset({"users:admin"})
    new = links.invite(Principal(ana.id, ana.email, may, 1, "t", 1), invitation())
    opens = links.make_email(new.id).token
    end(accounts, ana.id)
    with pytest.raises(LinkNotFound):
        links.make_email(id)
    with pytest.raises(LinkNotValid):
        links.reset_password(token, OTHER_PASSWORD, HERE)
    with pytest.raises(LinkNotValid):
        links.accept_invitation(opens, OTHER_PASSWORD, HERE)


def invitation() -> Any:
    from auth.users import InvitationRequest

    return InvitationRequest(email="bea@example.com", permissions=frozenset({"users:admin"}))


def test_an_invitation_of_who_administers_no_longer_is_none(
    links: Links, accounts: Accounts
) -> None:
    accounts.add(new_user("admin@example.com", "users:admin"))
    ana = accounts.add(new_user("ana@example.com", "users:admin"))
    by = Principal(ana.id, ana.email, ana.permissions, 1, "t", 1)
    token = links.make_email(links.invite(by, invitation()).id).token
    accounts.change(ana.id, UserChanges(permissions=frozenset({"uploads:read"})))
    with pytest.raises(LinkNotValid):
        links.accept_invitation(token, OTHER_PASSWORD, HERE)


def test_guesses_of_tokens_and_requests_are_limited(links: Links, clock: Clock) -> None:
    for _ in range(5):
        links.request_reset("nobody@example.com", HERE)
        with pytest.raises(LinkNotValid):
            links.reset_password("guess", OTHER_PASSWORD, HERE)
    with pytest.raises(TooManyAttempts):
        links.request_reset("nobody@example.com", HERE)
    with pytest.raises(TooManyAttempts):
        links.accept_invitation("guess", OTHER_PASSWORD, HERE)
    clock.now += 60
    links.request_reset("nobody@example.com", HERE)


def test_what_was_asked_for_is_published_whatever_dies(
    links: Links, accounts: Accounts, clock: Clock, store: UserStore, monkeypatch: Any
) -> None:
    accounts.add(new_user("ana@example.com"))
    broker = FakeBroker(down=True)
    id = ask_for(links, store)
    outbox, other = (EmailOutbox(store, broker, clock) for _ in range(2))
    with pytest.raises(BrokerUnavailable):
        outbox.turn()
    broker.down = False
    # The one that died had claimed it; another process waits for that one to be done.
    other.turn()
    assert broker.published == []
    clock.now += 61
    other.turn()
    outbox.turn()
    ((key, body, headers),) = broker.published
    assert key == "email.requested"
    assert EmailRequested.from_body(body).email_id == id
    assert set(headers) == {"X-Request-Id", "traceparent"}
    links.make_email(id)


def test_of_an_address_that_is_not_there_nothing_is_published_and_nothing_stays(
    links: Links, clock: Clock, store: UserStore
) -> None:
    broker = FakeBroker()
    ask_for(links, store, "nobody@example.com")
    outbox = EmailOutbox(store, broker, clock)
    outbox.turn()
    with store.reading() as users:
        assert users.links.unpublished() == []
    assert broker.published == []


def test_links_that_are_over_are_removed(
    links: Links, accounts: Accounts, clock: Clock, store: UserStore
) -> None:
    accounts.add(new_user("ana@example.com"))
    id = ask_for(links, store)
    links.make_email(id)
    clock.now += 24 * 3600 + 1
    EmailOutbox(store, FakeBroker(), clock).turn()
    with store.reading() as users:
        assert users.links.get(id) is None
