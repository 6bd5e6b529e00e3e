"""Who may do what: every operation of the document with every single permission."""

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from flask.testing import FlaskClient

from gateway.app import build_app
from gateway.settings import Settings
from muster.http.tokens import PERMISSIONS
from muster.stores import open_stores
from tests.unit.gateway.fakes import FakeBroker, WordTokens, bearer

# What DESIGN says, apart from the code: None is any token.
NEEDED: dict[tuple[str, str], set[str] | None] = {
    ("get", "/v1/me"): None,
    ("patch", "/v1/me"): None,
    ("post", "/v1/logout"): None,
    ("post", "/v1/me/password"): None,
    ("post", "/v1/invitations"): {"users:admin"},
    ("get", "/v1/audit"): {"users:admin"},
    ("get", "/v1/keys"): None,
    ("post", "/v1/keys"): None,
    ("delete", "/v1/keys/{id}"): None,
    ("get", "/v1/users"): {"users:admin"},
    ("post", "/v1/users"): {"users:admin"},
    ("get", "/v1/users/{id}"): {"users:admin"},
    ("patch", "/v1/users/{id}"): {"users:admin"},
    ("delete", "/v1/users/{id}"): {"users:admin"},
    ("post", "/v1/uploads"): {"uploads:write"},
    ("post", "/v1/uploads/preview"): {"uploads:write"},
    ("get", "/v1/uploads"): {"uploads:read", "uploads:admin"},
    ("get", "/v1/uploads/{id}"): {"uploads:read", "uploads:admin"},
    ("delete", "/v1/uploads/{id}"): {"uploads:write", "uploads:undo", "uploads:admin"},
    ("post", "/v1/uploads/{id}/undo"): {"uploads:undo", "uploads:admin"},
    ("post", "/v1/uploads/{id}/load"): {"uploads:write", "uploads:admin"},
    ("get", "/v1/uploads/{id}/content"): {"uploads:write"},
    ("head", "/v1/uploads/{id}/content"): {"uploads:write"},
    ("patch", "/v1/uploads/{id}/content"): {"uploads:write"},
    ("delete", "/v1/uploads/{id}/content"): {"uploads:write"},
    ("get", "/v1/uploads/{id}/file"): {"uploads:read", "uploads:admin"},
    ("get", "/v1/uploads/{id}/rejects"): {"uploads:read", "uploads:admin"},
    ("get", "/v1/uploads/{id}/events"): {"uploads:read", "uploads:admin"},
    ("get", "/v1/uploads/{id}/receipt"): {"uploads:read", "uploads:admin"},
    ("get", "/v1/webhooks"): None,
    ("post", "/v1/webhooks"): None,
    ("get", "/v1/webhooks/{id}"): None,
    ("patch", "/v1/webhooks/{id}"): None,
    ("delete", "/v1/webhooks/{id}"): None,
    ("get", "/v1/webhooks/{id}/deliveries"): None,
    ("post", "/v1/webhooks/{id}/deliveries/{delivery}/replay"): None,
    ("post", "/v1/webhooks/{id}/test"): None,
    ("get", "/v1/tables"): None,
    ("get", "/v1/tables/{table}"): None,
    ("get", "/v1/tables/{table}/rows"): {"queries:read"},
    ("post", "/v1/tables/{table}/rows"): {"rows:write"},
    ("post", "/v1/tables/{table}/check"): {"rows:write", "uploads:write"},
    ("get", "/v1/tables/{table}/rows/{key}"): {"queries:read"},
    ("delete", "/v1/tables/{table}/rows/{key}"): {"rows:erase"},
    ("get", "/v1/tables/{table}/rows/{key}/history"): {"queries:read"},
    ("get", "/v1/queries/hires-by-quarter"): {"queries:read"},
    ("get", "/v1/queries/years"): {"queries:read"},
    ("get", "/v1/queries/departments-above-mean"): {"queries:read"},
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """One for all: who may ask depends on nothing that was asked before."""
    nowhere, url = "http://127.0.0.1:1", f"file://{tmp_path_factory.mktemp('permissions')}/store"
    settings = Settings(
        auth_url=nowhere,
        queries_url=nowhere,
        dbuploader_url=nowhere,
        notification_url=nowhere,
    )
    with closing(open_stores(url)) as stores:
        yield build_app(settings, stores, FakeBroker(), WordTokens()).test_client()


def declared() -> Iterator[tuple[str, str, list[dict[str, list[str]]]]]:
    settings = Settings()
    stores = open_stores(settings.csv_store_url)
    app = build_app(settings, stores, FakeBroker(), WordTokens())
    document = app.test_client().get("/openapi.json").get_json()
    for path, item in document["paths"].items():
        for verb, operation in item.items():
            yield verb, path, operation["security"]


# By HTTP Basic, or by nobody in particular.
WITHOUT_TOKEN: dict[tuple[str, str], list[dict[str, list[str]]]] = {
    ("post", "/v1/login"): [{"basic": []}],
    ("get", "/.well-known/receipts.json"): [],
    ("post", "/v1/password-resets"): [],
    ("put", "/v1/password-resets"): [],
    ("put", "/v1/invitations"): [],
}
OPERATIONS = [(verb, path) for verb, path, _ in declared() if (verb, path) not in WITHOUT_TOKEN]


def ask(client: FlaskClient, verb: str, path: str, headers: dict[str, str]) -> Any:
    return getattr(client, verb)(re.sub(r"\{.*?\}", "x", path), headers=headers)


def test_the_document_says_of_every_operation_what_it_needs() -> None:
    said = {
        (verb, path): {name for choice in security for name in choice["bearer"]} or None
        for verb, path, security in declared()
        if (verb, path) not in WITHOUT_TOKEN
    }
    assert said == NEEDED
    others = {
        (verb, path): security
        for verb, path, security in declared()
        if (verb, path) in WITHOUT_TOKEN
    }
    assert others == WITHOUT_TOKEN


@pytest.mark.parametrize(("verb", "path"), OPERATIONS)
def test_without_a_token_there_is_no_answer(client: FlaskClient, verb: str, path: str) -> None:
    answer = ask(client, verb, path, {})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("permission", [None, *PERMISSIONS])
@pytest.mark.parametrize(("verb", "path"), OPERATIONS)
def test_each_permission_opens_what_it_is_for_and_nothing_else(
    client: FlaskClient, verb: str, path: str, permission: str | None
) -> None:
    needed = NEEDED[verb, path]
    headers = bearer("ana", *([permission] if permission else []))
    answer = ask(client, verb, path, headers)
    allowed = needed is None or permission in needed
    assert (answer.status_code != 403) is allowed
    assert answer.status_code not in {401, 500}
