"""The client: one user of a suite, and a method for each thing that the suite does."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Literal, Self, TypedDict, Unpack
from urllib.parse import quote

import requests

from muster_client.bodies import Part, Sent, Source, name_of, opened
from muster_client.errors import NotMuster
from muster_client.models import (
    AccessKey,
    Delivery,
    Invitation,
    Json,
    Me,
    Page,
    Table,
    Upload,
    User,
    Webhook,
)
from muster_client.resumable import IN_PARTS_FROM, send_in_parts
from muster_client.transport import RetryPolicy, Transport

Question = Literal["hires-by-quarter", "departments-above-mean"]
UndoMode = Literal["possible", "all"]
_WAIT_SECONDS = 30
_RAW = "application/octet-stream"


class UploadOptions(TypedDict, total=False):
    """How a file is read and loaded; what is left out is as the suite has it by default."""

    mode: Literal["upsert", "insert"]
    max_rejects: int
    dry_run: bool
    header: Literal["auto", "present", "absent"]
    delimiter: str
    encoding: str
    dates: Literal["iso", "dmy", "mdy"]
    columns: str
    sheet: str
    expect_rows: int
    max_inserted: str
    max_updated: str


class MusterClient:
    """A suite at a URL, asked with a token or an access key. For use by one thread.

    Every method raises Refused, Unreachable or NotMuster (`errors.py`). What is safe to repeat is
    repeated as `retry` says, and an upload or undo is made so by an idempotency key: `key`, or one
    that is made for the call.
    """

    def __init__(
        self, url: str, token: str | None = None, *, retry: RetryPolicy | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self._transport = Transport(url, token, retry or RetryPolicy())

    @classmethod
    def log_in(
        cls, url: str, email: str, password: str, *, retry: RetryPolicy | None = None
    ) -> Self:
        """A client of the user, whose token lasts an hour."""
        with cls(url, retry=retry) as stranger:
            token = stranger.new_token(email, password)["access_token"]
        return cls(url, token, retry=retry)

    def new_token(self, email: str, password: str) -> Json:
        """A token for the user: `access_token`, and `expires_in` seconds."""
        credentials = (email.encode(), password.encode())
        return self._json("POST", "/v1/login", auth=credentials)

    def log_out(self) -> None:
        """End the token: at once, and within 5 s everywhere."""
        self._transport.call("POST", "/v1/logout")

    def me(self) -> Me:
        """Who asks, and what that user may do."""
        return Me.read(self._json("GET", "/v1/me"))

    # Uploads

    def upload(
        self,
        source: Source,
        *,
        filename: str | None = None,
        table: str | None = None,
        previous: str | None = None,
        key: str | None = None,
        sent: Sent = lambda _bytes: None,
        **options: Unpack[UploadOptions],
    ) -> Upload:
        """Send a file; returns the upload as it was accepted.

        The file is called `filename`, or as its path; without `table` it is for the table that it
        is called after. `previous` is the upload whose rejected rows it has, corrected.
        A large file goes on where the connection broke (`resumable.py`).
        """
        named = {"filename": filename or name_of(source), "table": table, "previous": previous}
        params = _params({**named, **options})
        headers = {"Content-Type": _RAW, "Idempotency-Key": key or _new_key()}
        with opened(source) as (file, length):
            if length > IN_PARTS_FROM:
                return Upload.read(
                    send_in_parts(self._transport, file, length, params, headers, sent)
                )
            body = Part(file, 0, length, sent)
            path = "/v1/uploads"
            return Upload.read(self._json("POST", path, body=body, params=params, headers=headers))

    def get_upload(self, upload_id: str, *, wait_seconds: int = 0) -> Upload:
        """The upload as it stands, or once it is final: after `wait_seconds` at most, up to 60."""
        headers = {"Prefer": f"wait={wait_seconds}"} if wait_seconds else {}
        return Upload.read(self._json("GET", _path("/v1/uploads", upload_id), headers=headers))

    def wait(self, upload_id: str) -> Upload:
        """The upload once it is final, however long that takes."""
        while not (upload := self.get_upload(upload_id, wait_seconds=_WAIT_SECONDS)).is_final:
            pass
        return upload

    def uploads(
        self, *, limit: int = 100, cursor: str | None = None, **filters: str | None
    ) -> Page[Upload]:
        """Uploads that one may see, newest first; `filters` are `state`, `table` and their like."""
        page = self._page("/v1/uploads", limit=limit, cursor=cursor, **filters)
        return Page(tuple(map(Upload.read, page["uploads"])), page["next"])

    def latest_upload(self) -> Upload | None:
        """One's own latest upload, of the latest hundred that one may see."""
        email = self.me().email
        return next((each for each in self.uploads().items if each.submitted_by == email), None)

    def cancel(self, upload_id: str) -> Upload:
        """Ask for an upload to be cancelled; returns it as it stands."""
        return Upload.read(self._json("DELETE", _path("/v1/uploads", upload_id)))

    def undo(
        self,
        upload_id: str,
        *,
        mode: UndoMode = "possible",
        dry_run: bool = False,
        key: str | None = None,
    ) -> Upload:
        """Take an upload back; returns the undo, an upload of its own, as it was accepted."""
        params = _params({"mode": mode, "dry_run": dry_run})
        headers = {"Idempotency-Key": key or _new_key()}
        path = _path("/v1/uploads", upload_id, "undo")
        return Upload.read(self._json("POST", path, params=params, headers=headers))

    def load(self, upload_id: str, *, key: str | None = None) -> Upload:
        """Load what a dry run checked, from the bytes that the suite kept, with the same options.

        Returns the upload that does so, as it was accepted.
        """
        headers = {"Idempotency-Key": key or _new_key()}
        path = _path("/v1/uploads", upload_id, "load")
        return Upload.read(self._json("POST", path, headers=headers))

    def save_rejects(
        self,
        upload_id: str,
        target: BinaryIO,
        *,
        all_errors: bool = False,
        spreadsheet: bool = False,
    ) -> None:
        """Write the rejected rows to `target`: CSV, to be corrected and sent again.

        With `all_errors`, as JSON Lines with every error of each row; with `spreadsheet`, as CSV in
        which no cell is a formula.
        """
        accept = "application/x-ndjson" if all_errors else "text/csv"
        params = {"spreadsheet": "safe"} if spreadsheet else {}
        path = _path("/v1/uploads", upload_id, "rejects")
        self._transport.save(path, target, {"Accept": accept}, params)

    def save_file(self, upload_id: str, target: BinaryIO) -> None:
        """Write the file of an upload, as it came, to `target`."""
        self._transport.save(_path("/v1/uploads", upload_id, "file"), target, {}, {})

    # Tables and questions

    def tables(self) -> list[Table]:
        """The declared tables."""
        return [Table.read(each) for each in self._json("GET", "/v1/tables")["tables"]]

    def rows(self, table: str) -> Iterator[Json]:
        """All rows of a table, in key order."""
        cursor: str | None = None
        while True:
            page = self._page(_path("/v1/tables", table, "rows"), limit=1000, cursor=cursor)
            yield from page["rows"]
            if (cursor := page["next"]) is None:
                return

    def write_rows(
        self, table: str, rows: Sequence[Mapping[str, Any]], *, key: str | None = None
    ) -> Json:
        """Write 1 to 1000 rows, all or nothing; returns the counts.

        Of a Refused with the kind "rows-rejected", `errors` says what is wrong with which row.
        """
        headers = {"Idempotency-Key": key or _new_key()}
        path = _path("/v1/tables", table, "rows")
        return self._json("POST", path, json=list(rows), headers=headers)

    def check_rows(self, table: str, rows: Sequence[Mapping[str, Any]]) -> Json:
        """Check 1 to 1000 rows as if they were written: `errors` and `errors_total`."""
        return self._json("POST", _path("/v1/tables", table, "check"), json=list(rows))

    def ask(self, question: Question | str, year: int) -> Json:
        """The answer to a question about a year: its `rows`, and what else it has."""
        return self._json("GET", _path("/v1/queries", question), params={"year": year})

    def ask_csv(self, question: Question | str, year: int) -> str:
        """The same as CSV."""
        path, headers = _path("/v1/queries", question), {"Accept": "text/csv"}
        response = self._transport.call("GET", path, params={"year": year}, headers=headers)
        return response.content.decode()

    # Users

    def users(self) -> list[User]:
        """All users."""
        return [User.read(each) for each in self._json("GET", "/v1/users")["users"]]

    def add_user(self, email: str, password: str, permissions: Sequence[str]) -> User:
        """Add a user."""
        body = {"email": email, "password": password, "permissions": [*permissions]}
        return User.read(self._make("/v1/users", body))

    def invite_user(self, email: str, permissions: Sequence[str]) -> Invitation:
        """Have somebody sent a link by which they become a user, with a password of their own."""
        body = {"email": email, "permissions": [*permissions]}
        return Invitation.read(self._make("/v1/invitations", body))

    def change_user(self, user_id: str, **changes: Any) -> User:
        """Change `permissions`, `password` or `disabled` of a user."""
        return User.read(self._json("PATCH", _path("/v1/users", user_id), json=changes))

    def remove_user(self, user_id: str) -> None:
        """Remove a user."""
        self._transport.call("DELETE", _path("/v1/users", user_id))

    # Access keys and webhooks, each user's own

    def keys(self) -> list[AccessKey]:
        """One's own access keys."""
        return [AccessKey.read(each) for each in self._json("GET", "/v1/keys")["keys"]]

    def make_key(self, name: str, permissions: Sequence[str], expires_at: str) -> AccessKey:
        """Make an access key; its `key` is never told again. `expires_at` is RFC 3339."""
        body = {"name": name, "permissions": [*permissions], "expires_at": expires_at}
        return AccessKey.read(self._make("/v1/keys", body))

    def revoke_key(self, key_id: str) -> None:
        """End an access key, within 5 s everywhere."""
        self._transport.call("DELETE", _path("/v1/keys", key_id))

    def webhooks(self) -> list[Webhook]:
        """One's own webhooks."""
        return [Webhook.read(each) for each in self._json("GET", "/v1/webhooks")["webhooks"]]

    def add_webhook(self, url: str) -> Webhook:
        """Have `url` called when an upload is final; the `secret` is never told again."""
        return Webhook.read(self._make("/v1/webhooks", {"url": url}))

    def change_webhook(self, webhook_id: str, **changes: Any) -> Webhook:
        """Change the `url` of a webhook, or whether it is `enabled`."""
        return Webhook.read(self._json("PATCH", _path("/v1/webhooks", webhook_id), json=changes))

    def remove_webhook(self, webhook_id: str) -> None:
        """Remove a webhook."""
        self._transport.call("DELETE", _path("/v1/webhooks", webhook_id))

    def test_webhook(self, webhook_id: str) -> Json:
        """Have a webhook called once, with a trial event."""
        return self._make(_path("/v1/webhooks", webhook_id, "test"), None)

    def deliveries(self, webhook_id: str, cursor: str | None = None) -> Page[Delivery]:
        """Calls of a webhook, newest first."""
        page = self._page(_path("/v1/webhooks", webhook_id, "deliveries"), cursor=cursor)
        return Page(tuple(map(Delivery.read, page["deliveries"])), page.get("next"))

    def replay_delivery(self, webhook_id: str, delivery_id: str) -> Json:
        """Have a webhook called again with the event of an earlier call."""
        path = _path("/v1/webhooks", webhook_id, "deliveries", delivery_id, "replay")
        return self._make(path, None)

    def close(self) -> None:
        """Give up the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _make(self, path: str, body: Any) -> Json:
        """Make something that a repeat would make twice: asked once."""
        return self._json("POST", path, json=body, repeatable=False)

    def _page(self, path: str, **params: Any) -> Json:
        return self._json("GET", path, params=_params(params))

    def _json(self, method: str, path: str, **options: Any) -> Json:
        response = self._transport.call(method, path, **options)
        try:
            document = response.json() if response.content else {}
        except requests.JSONDecodeError:
            document = None
        if not isinstance(document, dict):
            raise NotMuster(f"{self.url} answers what is not Muster's: check the address.")
        return document


def _params(values: Mapping[str, Any]) -> dict[str, str]:
    """Query parameters, as the API writes them; what is None is left out."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in values.items()
        if value is not None
    }


def _path(base: str, *parts: str) -> str:
    return "/".join([base, *(quote(part, safe="") for part in parts)])


def _new_key() -> str:
    return str(uuid.uuid4())
