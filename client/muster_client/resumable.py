"""Sending a large file by several requests, each of which goes on where the last was cut.

By draft-ietf-httpbis-resumable-upload-12: `POST /v1/uploads` begins the upload, HEAD of its
`Location` says how much has come, and PATCH sends from there on.
"""

from collections.abc import Callable, Mapping
from typing import BinaryIO

import requests

from muster_client.bodies import Part, Sent
from muster_client.errors import NotMuster, Refused
from muster_client.models import Json
from muster_client.transport import Transport

IN_PARTS_FROM = 8 * 1024**2
"""A file of more bytes is sent in parts."""

Ask = Callable[..., requests.Response]


def send_in_parts(
    transport: Transport,
    file: BinaryIO,
    length: int,
    params: Mapping[str, str],
    headers: Mapping[str, str],
    sent: Sent,
) -> Json:
    """Send `length` bytes of the file; returns the upload as it was accepted.

    Sending is given up when for as long as the transport is patient no byte has arrived. Raises as
    `Transport.call`.
    """
    asked = {"Upload-Complete": "?0", "Upload-Length": str(length)}
    begun = transport.call("POST", "/v1/uploads", params=params, headers={**headers, **asked})
    sending = _Sending(begun.headers["Location"], file, length, sent)
    upload: Json | None = None
    while upload is None:
        upload = transport.repeat(sending.go_on)
    return upload


class _Sending:
    """The file on its way to `path`."""

    def __init__(self, path: str, file: BinaryIO, length: int, sent: Sent) -> None:
        self._path = path
        self._file = file
        self._length = length
        self._sent = sent
        self._offset: int | None = 0

    def go_on(self, ask: Ask) -> Json | None:
        """Send what has not arrived; the upload, or None if it broke off and more has arrived."""
        offset, self._offset = self._offset, None
        try:
            if offset is None:
                offset = self._arrived(ask)
                # What was cut may still be on its way in. An empty part finds out without sending
                # twice what then arrives after all.
                self._append(ask, offset, 0, "?0")
            return self._send(ask, offset)
        except requests.RequestException:
            # Not a failure as long as it gets on: the patience is for a line that carries nothing.
            if offset is None or self._arrived(ask) == offset:
                raise
            return None
        except Refused as refusal:
            if refusal.kind != "mismatching-upload-offset":
                raise
            return None

    def _send(self, ask: Ask, offset: int) -> Json:
        upload: Json = self._append(ask, offset, self._length - offset, "?1").json()
        return upload

    def _append(self, ask: Ask, offset: int, length: int, complete: str) -> requests.Response:
        headers = {
            "Content-Type": "application/partial-upload",
            "Upload-Offset": str(offset),
            "Upload-Complete": complete,
        }
        part = Part(self._file, offset, length, self._sent)
        return ask("PATCH", self._path, part, headers=headers)

    def _arrived(self, ask: Ask) -> int:
        response = ask("HEAD", self._path)
        try:
            return int(response.headers["Upload-Offset"])
        except (KeyError, ValueError) as error:
            raise NotMuster("The answer does not say how much has arrived.") from error
