"""The body of a request, read once and in order: CSV as it is, or the part `file` of a form."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected

from gateway.errors import ClientGone, NotCsv, TooLarge, UnknownEncoding
from gateway.form import file_part
from gateway.uploads.gzip import inflated
from muster.http.client import ClientTooSlow

GZIP_TYPES = frozenset({"application/gzip", "application/x-gzip"})
RAW_TYPES = (
    "text/csv",
    "text/plain",
    "text/tab-separated-values",
    "application/csv",
    "application/vnd.ms-excel",
    "application/octet-stream",
    *sorted(GZIP_TYPES),
)
FORM_TYPE = "multipart/form-data"
_CHUNK = 64 * 1024
# What the boundaries and headers of a form may add to the file.
_FORM_BYTES = 64 * 1024


class Stream(Protocol):
    """A body as the server hands it over."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


@dataclass(frozen=True)
class Part:
    """The file within a body: its name there, if any, and its bytes, `gzipped` or not."""

    filename: str | None
    gzipped: bool
    chunks: Iterator[bytes]


@dataclass(frozen=True)
class Body:
    """A body that has not been read, with what its headers say of it.

    `length` is in bytes, None if chunked; `limit` the greatest size of the file.
    """

    stream: Stream
    media_type: str
    parameters: Mapping[str, str]
    coding: str
    length: int | None
    limit: int

    def open(self) -> Part:
        """Read as far as the file begins.

        Raises NotCsv, UnknownEncoding, TooLarge, BadForm, ClientGone or ClientTooSlow; reading the
        chunks can raise them too, and BadGzip.
        """
        is_form = self.media_type == FORM_TYPE
        self._check_headers(is_form)
        slack = _FORM_BYTES if is_form else 0
        if self.length is not None and self.length > self.limit + slack:
            raise TooLarge(self.limit)
        chunks = limited(self._chunks(), self.limit, slack)
        gzipped = self.coding != "identity"
        if not is_form:
            return Part(None, gzipped or self.media_type in GZIP_TYPES, chunks)
        # The content coding is that of the whole form (RFC 9110, section 8.4).
        form = limited(inflated(chunks), self.limit, slack) if gzipped else chunks
        filename, media_type, content = file_part(form, self.parameters.get("boundary", ""))
        return Part(filename, media_type in GZIP_TYPES, content)

    def _check_headers(self, is_form: bool) -> None:
        if self.coding not in {"identity", "gzip"}:
            raise UnknownEncoding(self.coding)
        if self.media_type == "application/x-www-form-urlencoded":
            raise NotCsv(
                "The body was sent as a web form, as curl --data does by default: send the header "
                "Content-Type: text/csv with it."
            )
        if self.media_type and not is_form and self.media_type not in RAW_TYPES:
            raise NotCsv(f"Content-Type {self.media_type!r} is not CSV: send text/csv.")

    def _chunks(self) -> Iterator[bytes]:
        received = 0
        while chunk := _read(self.stream):
            received += len(chunk)
            yield chunk
        # gunicorn ends a body that was broken off as if it were complete.
        if self.length is not None and received < self.length:
            raise ClientGone(f"The body ended after {received} of {self.length} bytes.")


def limited(chunks: Iterable[bytes], limit: int, slack: int = 0) -> Iterator[bytes]:
    """The same bytes; raises TooLarge at the first byte beyond `limit` and `slack`."""
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > limit + slack:
            raise TooLarge(limit)
        yield chunk


def _read(stream: Stream) -> bytes:
    try:
        return stream.read(_CHUNK)
    except ClientTooSlow:
        raise
    except (OSError, ClientDisconnected, ParseException) as error:
        raise ClientGone("The body broke off or is not framed as HTTP says.") from error
