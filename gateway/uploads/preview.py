"""Previews: the beginning of a file, handed to the loader's reader before anything is uploaded."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from io import BytesIO
from urllib.parse import quote, urlencode

from gateway.errors import CutGzip, TooLarge, TooLargeForPreview, TooManyPreviews
from gateway.proxy.forward import ask
from gateway.proxy.upstream import Upstream, UpstreamResponse
from gateway.uploads.accept import Submission
from muster.contracts.uploads import PREVIEW_BYTES

_WORKBOOKS_AT_ONCE = 2
_PLACE_SECONDS = 2.0


class Previews:
    """Takes files for previews, which the loader makes.

    Of a text, no more is held than a preview reads; of workbooks, two at once, one of each user.
    """

    def __init__(self, dbuploader: Upstream, place_seconds: float = _PLACE_SECONDS) -> None:
        self._dbuploader = dbuploader
        self._place_seconds = place_seconds
        self._users: set[str] = set()
        self._changed = threading.Condition()

    def make(self, submission: Submission) -> UpstreamResponse:
        """The loader's preview of what is submitted, or its error.

        Raises what `Submission.open` and `UploadedFile.open` raise, TooLargeForPreview,
        TooManyPreviews and UpstreamUnavailable.
        """
        try:
            uploaded, filename, table = submission.open()
            is_workbook, chunks = uploaded.open(filename)
            if not is_workbook:
                text, is_cut = _beginning(chunks)
                return self._ask(submission, table, text, workbook=False, cut=is_cut)
            with self._place(submission.owner.id):
                # Its value is the bytes that it holds, and no copy.
                content = BytesIO()
                content.writelines(chunks)
                return self._ask(submission, table, content.getvalue(), workbook=True, cut=False)
        except TooLarge as error:
            raise TooLargeForPreview(error.limit) from error

    def _ask(
        self, submission: Submission, table: str, content: bytes, **flags: bool
    ) -> UpstreamResponse:
        options = json.dumps(asdict(submission.options), ensure_ascii=False)
        query = {"options": options} | {name: "true" for name, is_set in flags.items() if is_set}
        path = f"/v1/tables/{quote(table)}/preview"
        return ask(
            self._dbuploader,
            "POST",
            path,
            content,
            media_type="application/octet-stream",
            query=urlencode(query),
        )

    @contextmanager
    def _place(self, user: str) -> Iterator[None]:
        """A place for a workbook of the user; raises TooManyPreviews."""
        until = time.monotonic() + self._place_seconds
        with self._changed:
            while user in self._users or len(self._users) >= _WORKBOOKS_AT_ONCE:
                if not self._changed.wait(until - time.monotonic()):
                    raise TooManyPreviews
            self._users.add(user)
        try:
            yield
        finally:
            with self._changed:
                self._users.remove(user)
                self._changed.notify_all()


def _beginning(chunks: Iterator[bytes]) -> tuple[bytes, bool]:
    """As much of a text as a preview reads, and whether more follows.

    All of it is read, for a client that still sends reads no answer.
    """
    text, is_cut = bytearray(), False
    try:
        for chunk in chunks:
            room = PREVIEW_BYTES - len(text)
            text += chunk[:room]
            is_cut = is_cut or len(chunk) > room
    except CutGzip:
        # Of a text, the beginning will do, also of a compressed one.
        is_cut = True
    return bytes(text), is_cut
