"""The suite's public HTTP API as a caller uses it, for the demo, the tests and the bench."""

import csv
import io
import time
from pathlib import Path
from typing import Any, Self

import requests

from muster.http.direct import direct_session

FINAL_STATES = frozenset(
    {"completed", "completed_with_rejects", "validated", "failed", "cancelled"}
)
_TIMEOUT = 120.0
_WAIT = 30
_POLL_SECONDS = 0.2

Json = dict[str, Any]


class Client:
    """One user, logged in. Every call raises requests.HTTPError on a refusal."""

    def __init__(self, url: str, email: str, password: str) -> None:
        self.url = url
        # The machine's proxy, if it names one, is not for calls to itself.
        self.session = direct_session()
        token = self._call("POST", "/v1/login", auth=(email, password)).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def upload(
        self, filename: str, content: bytes | Path, *, key: str | None = None, **options: str
    ) -> Json:
        """Send a CSV file, from memory or disk; returns the upload as accepted.

        `key` is an idempotency key: sending again with the same one loads nothing twice.
        """
        headers = {"Content-Type": "text/csv"}
        if key is not None:
            headers["Idempotency-Key"] = key
        params = {"filename": filename, **options}
        if isinstance(content, bytes):
            return self._json("POST", "/v1/uploads", params=params, headers=headers, data=content)
        with content.open("rb") as body:
            return self._json("POST", "/v1/uploads", params=params, headers=headers, data=body)

    def get_upload(self, upload_id: str) -> Json:
        """The upload as it stands."""
        return self._json("GET", f"/v1/uploads/{upload_id}")

    def cancel(self, upload_id: str) -> Json:
        """Ask for an upload to be cancelled; returns it as it stands."""
        return self._json("DELETE", f"/v1/uploads/{upload_id}")

    def undo(self, upload_id: str, *, key: str | None = None, **options: str) -> Json:
        """Ask for an upload to be undone; returns the undo as accepted."""
        headers = {} if key is None else {"Idempotency-Key": key}
        path = f"/v1/uploads/{upload_id}/undo"
        return self._json("POST", path, params=options, headers=headers)

    def wait(self, upload_id: str, seconds: float = 300) -> Json:
        """The upload once it is final; raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            headers = {"Prefer": f"wait={_WAIT}"}
            upload = self._json("GET", f"/v1/uploads/{upload_id}", headers=headers)
            if upload["state"] in FINAL_STATES:
                return upload
        raise TimeoutError(f"upload {upload_id} is not final after {seconds} s")

    def wait_for_email(self, upload_id: str, seconds: float = 300) -> Json:
        """What became of the email about an upload; raises TimeoutError while it waits."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            email: Json | None = self.get_upload(upload_id)["email"]
            if email is not None and email["state"] != "waiting":
                return email
            time.sleep(_POLL_SECONDS)
        raise TimeoutError(f"the email about upload {upload_id} waits after {seconds} s")

    def rejects(self, upload_id: str) -> list[dict[str, str]]:
        """The rejected rows of an upload, each a mapping from column to cell."""
        return list(csv.DictReader(io.StringIO(self.rejects_file(upload_id).decode(), newline="")))

    def rejects_file(self, upload_id: str) -> bytes:
        """The reject file of an upload as it is served."""
        return self._call("GET", f"/v1/uploads/{upload_id}/rejects").content

    def query(self, name: str, year: int) -> Json:
        """The answer to the question `name` about a year."""
        return self._json("GET", f"/v1/queries/{name}", params={"year": str(year)})

    def rows(self, table: str) -> list[Json]:
        """All rows of a table, in key order."""
        return self._pages(f"/v1/tables/{table}/rows", "rows", 1000)

    def uploads(self) -> list[Json]:
        """All uploads that the user may see, newest first."""
        return self._pages("/v1/uploads", "uploads", 100)

    def add_user(self, email: str, password: str, permissions: list[str]) -> Json:
        """Make a user; the caller is an administrator."""
        body = {"email": email, "password": password, "permissions": permissions}
        return self._json("POST", "/v1/users", json=body)

    def close(self) -> None:
        """Give up the connections."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _pages(self, path: str, name: str, limit: int) -> list[Json]:
        items: list[Json] = []
        cursor: str | None = ""
        while cursor is not None:
            params = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
            page = self._json("GET", path, params=params)
            items += page[name]
            cursor = page["next"]
        return items

    def _json(self, method: str, path: str, **options: Any) -> Json:
        answer: Json = self._call(method, path, **options).json()
        return answer

    def _call(self, method: str, path: str, **options: Any) -> requests.Response:
        answer = self.session.request(method, self.url + path, timeout=_TIMEOUT, **options)
        answer.raise_for_status()
        return answer
