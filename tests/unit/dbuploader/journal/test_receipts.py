"""Receipts: what they say, that they form a chain, and that anybody can verify them."""

import hashlib
import json
import re
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import jwt
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from dbuploader.db.schema import journal_head, ledger, receipt_keys
from dbuploader.journal.changes import lock_head
from dbuploader.journal.receipts import published_keys
from muster.contracts.uploads import UNFINISHED
from muster.database import DatabaseUnavailable
from tests.unit.dbuploader.suite import Killed, Suite, a_signer

PAGE = (Path(__file__).parents[4] / "docs" / "receipts.md").read_text("utf-8")
VERIFY, CHECK_CHAIN = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def receipts(suite: Suite) -> list[str]:
    """All, in the order of the ledger."""
    with suite.database.read() as connection:
        ordered = select(ledger.c.receipt).order_by(ledger.c.number)
        return [*connection.scalars(ordered)]


def receipt_of(suite: Suite, upload_id: str) -> str:
    with suite.database.read() as connection:
        mine = select(ledger.c.receipt).where(ledger.c.upload_id == upload_id)
        return str(connection.scalar(mine))


def verified(suite: Suite, receipt: str) -> dict[str, Any]:
    """What the receipt says, if one of the published keys has signed it."""
    with suite.database.read() as connection:
        keys = jwt.PyJWKSet.from_dict({"keys": published_keys(connection)})
    kid = jwt.get_unverified_header(receipt)["kid"]
    return jwt.decode(receipt, keys[kid], algorithms=["EdDSA"])


def assert_chained(suite: Suite) -> None:
    """Each names the one before it, and the head the last."""
    found = receipts(suite)
    assert verified(suite, found[0])["previous"] is None
    for before, receipt in pairwise(found):
        assert verified(suite, receipt)["previous"] == sha256(before)
    with suite.database.read() as connection:
        assert connection.scalar(select(journal_head.c.receipt)) == sha256(found[-1])


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_receipt_says_what_was_sent_and_what_became_of_it(suite: Suite) -> None:
    suite.signer = a_signer("https://muster.example.com")
    upload = suite.load("jobs", "1,Clerk\n9,Baker\nx,Odd\n")
    claims = verified(suite, receipt_of(suite, upload.id))
    submitted_at = upload.submitted_at.isoformat().replace("+00:00", "Z")
    decided_at = claims.pop("decided_at")
    assert submitted_at < decided_at
    assert claims == {
        "iss": "https://muster.example.com",
        "number": 3,
        "previous": sha256(receipts(suite)[1]),
        "upload": upload.id,
        "kind": "upload",
        "table": "jobs",
        "sha256": upload.sha256,
        "size": upload.size,
        "submitted_at": submitted_at,
        "submitted_by": upload.owner,
        "state": "completed_with_rejects",
        "rows": {
            "read": 3,
            "inserted": 1,
            "updated": 0,
            "unchanged": 1,
            "rejected": 1,
            "unprocessed": 0,
        },
        "error": None,
        "change": 3,
    }
    header = jwt.get_unverified_header(receipt_of(suite, upload.id))
    assert header == {"alg": "EdDSA", "kid": header["kid"], "typ": "muster-receipt+jws"}


def test_however_an_upload_ends_it_has_a_receipt_and_all_form_a_chain(suite: Suite) -> None:
    dry = suite.load("jobs", "9,Baker\n", dry_run=True)
    failed = suite.load("jobs", "")
    cancelled = suite.accept("jobs", "10,Cook\n")
    suite.store.update(cancelled, expect=UNFINISHED, cancel_requested=True)
    suite.processor().cancel_queued()
    suite.load("jobs", "9,Baker\n")

    said = {
        claims["upload"]: (claims["state"], claims["error"], claims["change"])
        for claims in (verified(suite, receipt) for receipt in receipts(suite))
    }
    assert said[dry.id] == ("validated", None, None)
    assert said[failed.id] == ("failed", "empty-file", None)
    assert said[cancelled] == ("cancelled", None, None)
    assert [verified(suite, each)["number"] for each in receipts(suite)] == [1, 2, 3, 4, 5, 6]
    assert_chained(suite)


def test_uploads_of_one_transaction_have_a_receipt_each(suite: Suite) -> None:
    suite.limits = type(suite.limits)(1024 * 1024, 3600, uploads=64)
    ids = [suite.accept("jobs", f"{number},Baker {number}\n") for number in range(10, 20)]
    suite.processor().process_up_to(ids[-1])
    assert [verified(suite, each)["upload"] for each in receipts(suite)][2:] == ids
    assert_chained(suite)


@pytest.mark.parametrize("error", [DatabaseUnavailable("gone"), Killed()])
def test_an_upload_whose_commit_is_not_answered_has_one_receipt(
    suite: Suite, error: BaseException
) -> None:
    upload_id = suite.accept("jobs", "9,Baker\n")
    # The first counts the attempt.
    suite.faulty_database.lost = [None, error]
    with suppress(Killed):
        suite.processor().process_up_to(upload_id)
    suite.processor().process_up_to(upload_id)
    assert [verified(suite, each)["number"] for each in receipts(suite)] == [1, 2, 3]
    assert_chained(suite)


def test_old_receipts_verify_after_the_key_was_replaced(suite: Suite) -> None:
    suite.signer = a_signer()
    suite.load("jobs", "9,Baker\n")
    assert len({jwt.get_unverified_header(each)["kid"] for each in receipts(suite)}) == 2
    assert_chained(suite)


def test_a_key_that_the_database_has_lost_is_entered_again(suite: Suite) -> None:
    with suite.database.write() as connection:
        lock_head(connection)
        connection.execute(receipt_keys.delete())
    suite.load("jobs", "9,Baker\n")
    assert verified(suite, receipts(suite)[-1])["number"] == 3


def ask(client: FlaskClient, upload_id: str, token: str) -> Any:
    path = f"/v1/uploads/{upload_id}/receipt"
    return client.get(path, headers={"Authorization": f"Bearer {token}"})


def test_a_receipt_is_for_its_uploader_and_for_administrators(
    suite: Suite, client: FlaskClient
) -> None:
    upload = suite.load("jobs", "9,Baker\n")
    for token in (f"{upload.owner}:uploads:read", "root:uploads:admin"):
        answer = ask(client, upload.id, token)
        assert (answer.status_code, answer.content_type) == (200, "application/jose")
        assert answer.text == receipt_of(suite, upload.id)
        assert "private" in answer.headers["Cache-Control"]
    assert ask(client, upload.id, "bob:uploads:read").status_code == 404
    assert ask(client, upload.id, f"{upload.owner}:rows:write").status_code == 403


def test_what_has_no_receipt_says_why(suite: Suite, client: FlaskClient) -> None:
    upload = suite.load("jobs", "9,Baker\n")
    with suite.database.write() as connection:
        mine = ledger.c.upload_id == upload.id
        connection.execute(update(ledger).where(mine).values(receipt=None))
    old, unknown = (ask(client, each, "root:uploads:admin") for each in (upload.id, "nobody"))
    assert (old.status_code, unknown.status_code) == (404, 404)
    assert "did not sign any" in old.get_json()["detail"]
    assert "has not decided" in unknown.get_json()["detail"]


def test_the_keys_are_for_everybody_and_may_be_kept(suite: Suite, client: FlaskClient) -> None:
    del client.environ_base["HTTP_AUTHORIZATION"]
    answer = client.get("/.well-known/receipts.json")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "public, max-age=300")
    (key,) = answer.get_json()["keys"]
    assert key.keys() == {"kty", "crv", "x", "kid", "use", "alg"}
    assert key["kid"] == jwt.get_unverified_header(receipts(suite)[0])["kid"]


def test_the_documented_code_verifies_receipts_and_chain(
    suite: Suite, client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = "9,Baker\n"
    digest = hashlib.sha256(content.encode()).hexdigest()
    upload_id = suite.accept("jobs", content)
    suite.store.update(upload_id, expect=UNFINISHED, sha256=digest)
    suite.processor().process_up_to(upload_id)
    (tmp_path / "receipt.jws").write_text(receipt_of(suite, upload_id))
    (tmp_path / "receipts.json").write_text(client.get("/.well-known/receipts.json").text)
    (tmp_path / "hired_employees.csv").write_text(content)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(VERIFY + CHECK_CHAIN, names)
    assert names["claims"]["upload"] == upload_id
    names["check_chain"](receipts(suite))
    with pytest.raises(AssertionError):
        names["check_chain"]([*receipts(suite)[:1], *receipts(suite)[2:]])
    forged = receipt_of(suite, upload_id).split(".")
    claims = names["claims"] | {"state": "failed"}
    forged[1] = jwt.utils.base64url_encode(json.dumps(claims).encode()).decode()
    (tmp_path / "receipt.jws").write_text(".".join(forged))
    with pytest.raises(jwt.InvalidSignatureError):
        exec(VERIFY, {})
