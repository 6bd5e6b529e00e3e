"""The audit log: what is in it, who reads it, and when it goes."""

from typing import Any

import pytest

from auth.audit import AuditLog, AuditQuery
from auth.repository import UserStore
from auth.users import AuditEntry
from muster.database import DatabaseUnavailable
from tests.paging import assert_next_is_linked
from tests.unit.auth.suite import OTHER_PASSWORD, PASSWORD, AuthSuite, Clock
from tests.unit.auth.test_auth_access_keys import make_key, token_for
from tests.unit.auth.test_auth_links import BEA, INVITATIONS, RESETS, anybody, fetch, link_id, use


def entries(suite: AuthSuite, query: str = "") -> list[dict[str, Any]]:
    answer = suite.call("GET", f"/v1/audit?limit=200{query}")
    assert answer.status_code == 200, answer.text
    return answer.get_json()["entries"]  # type: ignore[no-any-return]


def brief(suite: AuthSuite, query: str = "") -> list[tuple[str, str, str]]:
    return [(it["action"], it["email"], it["subject"]) for it in entries(suite, query)][::-1]


def test_who_did_what_is_told_and_no_secret_is(suite: AuthSuite) -> None:
    admin, ana = "admin@example.com", "Ana@Example.com"
    session = suite.log_in("ana@example.com").get_json()["access_token"]
    suite.log_in("ana@example.com", "my secret typo")
    suite.log_in("my secret typed as a name", "my secret typo")
    made = make_key(suite, suite.ana, "uploads:read")
    suite.call("DELETE", f"/v1/keys/{made['id']}", token=session)
    suite.call("POST", "/v1/logout", token=session)
    anybody(suite, "POST", RESETS, {"email": "ana@example.com"})
    anybody(suite, "POST", RESETS, {"email": "nobody@example.com"})
    path = f"/v1/users/{suite.ana.id}"
    suite.call("PATCH", path, {"permissions": ["uploads:read"], "password": OTHER_PASSWORD})
    suite.call("PATCH", path, {"permissions": ["uploads:read"]})
    suite.call("POST", INVITATIONS, BEA)
    token = fetch(suite, link_id(suite, kind="invitation")).get_json()["token"]
    use(suite, token, INVITATIONS)
    suite.call("DELETE", path)
    assert brief(suite) == [
        ("user-added", "an operator, in a shell", admin),
        ("user-added", "an operator, in a shell", ana),
        ("signed-in", ana, ""),
        ("sign-in-failed", ana, ""),
        ("sign-in-failed", "", ""),
        ("key-made", ana, "nightly load: uploads:read"),
        ("key-revoked", ana, "nightly load"),
        ("signed-out", ana, ""),
        ("password-reset-requested", "", "ana@example.com"),
        ("password-reset-requested", "", ""),
        ("user-changed", admin, f"{ana}: password set, -uploads:write"),
        ("user-invited", admin, "bea@example.com"),
        ("invitation-accepted", "bea@example.com", ""),
        ("user-deleted", admin, ana),
    ]
    kept = str(entries(suite))
    secrets = [PASSWORD, OTHER_PASSWORD, "my secret", "nobody@", made["key"], token, session]
    assert not [secret for secret in secrets if secret in kept]
    last = entries(suite)[0]
    assert (last["user"], last["address"], last["key"]) == (suite.admin.id, "127.0.0.1", None)


def test_what_the_gateway_does_is_noted_for_who_asked_and_by_which_key(suite: AuthSuite) -> None:
    made = make_key(suite, suite.ana, "uploads:read")
    noted = {"action": "undo", "subject": "u1"}
    token = token_for(suite, made["key"])
    assert suite.call("POST", "/internal/audit", noted, token=token).status_code == 204
    (entry,) = entries(suite, "&action=undo")
    assert (entry["user"], entry["subject"], entry["key"]) == (suite.ana.id, "u1", made["id"])
    for wrong in ({"action": "signed-in", "subject": ""}, {"action": "undo"}):
        assert suite.call("POST", "/internal/audit", wrong, token=token).status_code == 422
    assert anybody(suite, "POST", "/internal/audit", noted).status_code == 401


def test_it_is_read_in_pages_by_administrators(suite: AuthSuite) -> None:
    for _ in range(3):
        suite.log_in("ana@example.com")
    query, seen = f"?limit=2&user={suite.ana.id}&action=signed-in", []
    first = suite.call("GET", f"/v1/audit{query}")
    assert_next_is_linked(first)
    page = first.get_json()
    while page["next"]:
        seen += page["entries"]
        page = suite.call("GET", f"/v1/audit{query}&cursor={page['next']}").get_json()
    assert len([*seen, *page["entries"]]) == 3
    ana = suite.token_of(suite.ana)
    assert suite.call("GET", "/v1/audit", token=ana).status_code == 403
    for wrong in ("limit=0", "limit=201", "cursor=x", "action=x", "colour=red"):
        assert suite.call("GET", f"/v1/audit?{wrong}").status_code == 422, wrong


def test_a_sign_in_needs_no_entry(suite: AuthSuite, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_self: UserStore) -> None:
        raise DatabaseUnavailable("read only")

    suite.log_in("ana@example.com")
    monkeypatch.setattr(UserStore, "writing", away)
    assert suite.log_in("ana@example.com").status_code == 200
    assert suite.log_in("ana@example.com", "wrong").status_code == 401


def test_entries_go_when_they_are_old_and_the_oldest_of_an_action_when_they_are_many(
    store: UserStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth.audit.MOST_PER_ACTION", 3)
    audit, day = AuditLog(store, 30, clock), 24 * 3600

    def add(action: str, at: float, subject: str) -> None:
        entry = AuditEntry(0, int(at), action, None, "", subject, "", None, "r")
        with store.writing() as users:
            users.audit.add(entry)

    add("user-added", clock.now - 30 * day - 1, "old")
    add("user-added", clock.now - 30 * day, "not so old")
    for n in range(5):
        add("sign-in-failed", clock.now, str(n))

    def kept() -> list[str]:
        return [entry.subject for entry in audit.list(AuditQuery())[0]]

    assert kept() == ["4", "3", "2", "1", "0", "not so old"]
    audit.expire()
    assert kept() == ["4", "3", "2", "not so old"]
