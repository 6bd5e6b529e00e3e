"""The file within the body of a request, read once, in order, in two steps.

`RequestBody.open` reads as far as the file begins: its name is known then, and whatever can be
refused early is. `UploadedFile.receive` reads the rest: inflated (`gzip.py`), looked at
(`file_type.py`), measured and hashed on the way to where it is kept. Nothing is kept in between,
so the memory that it takes is bounded.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from gunicorn.http.errors import ParseException
from prometheus_client import Counter
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import (
    Data,
    Epilogue,
    Event,
    Field,
    File,
    MultipartDecoder,
    NeedData,
    Preamble,
)

from gateway.errors import BadForm, ClientGone, NotCsv, TooLarge, UnknownContentCoding
from gateway.proxy.content_digest import ContentDigest
from gateway.uploads.file_type import recognise
from gateway.uploads.filenames import WORKBOOK_TYPES
from gateway.uploads.gzip import inflated
from muster.http.client import ClientTooSlow

BYTES = Counter("muster_upload_bytes_total", "Bytes of uploaded files received, after inflating.")

GZIP_TYPES = frozenset({"application/gzip", "application/x-gzip"})
RAW_TYPES = (
    "text/csv",
    "text/plain",
    "text/tab-separated-values",
    "application/csv",
    "application/octet-stream",
    *map(str.lower, WORKBOOK_TYPES),
    *sorted(GZIP_TYPES),
)
FORM_TYPE = "multipart/form-data"
_CHUNK = 64 * 1024
# What the boundaries and headers of a form may add to the file.
_FORM_BYTES = 64 * 1024
# Of a form's decoder: far more than one chunk and the headers of a part.
_DECODER_BYTES = 512 * 1024


class Stream(Protocol):
    """A body as the server hands it over."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


@dataclass(frozen=True)
class RequestBody:
    """A body that has not been read, with what its headers say of it.

    `length` is in bytes, None if chunked; `limit` is the maximum size of the file, inflated.
    `has_left` says whether its client reads no answer any more. `digest` is what all of it has.
    """

    stream: Stream
    media_type: str
    parameters: Mapping[str, str]
    coding: str
    length: int | None
    limit: int
    has_left: Callable[[], bool] = lambda: False
    digest: ContentDigest | None = None

    def open(self) -> "UploadedFile":
        """The file: the body itself, or the part `file` of a form, read as far as it begins.

        Raises NotCsv, UnknownContentCoding, TooLarge, BadForm, or what `chunks` raises.
        """
        is_form = self.media_type == FORM_TYPE
        self._check_headers(is_form)
        slack = _FORM_BYTES if is_form else 0
        if self.length is not None and self.length > self.limit + slack:
            raise TooLarge(self.limit)
        chunks = _limited(self.chunks(), self.limit, slack)
        gzipped = self.coding != "identity"
        if not is_form:
            gzipped = gzipped or self.media_type in GZIP_TYPES
            return UploadedFile(None, gzipped, chunks, self.limit)
        # The content coding is that of the whole form (RFC 9110, section 8.4).
        form = _limited(inflated(chunks), self.limit, slack) if gzipped else chunks
        filename, media_type, content = _file_part(form, self.parameters.get("boundary", ""))
        return UploadedFile(filename, media_type in GZIP_TYPES, content, self.limit)

    @property
    def minimum(self) -> int:
        """How many bytes the file has at least, as far as the headers tell."""
        if self.length is None or self.coding != "identity" or self.media_type in GZIP_TYPES:
            return 0
        return max(0, self.length - _FORM_BYTES) if self.media_type == FORM_TYPE else self.length

    def _check_headers(self, is_form: bool) -> None:
        if self.coding not in {"identity", "gzip"}:
            raise UnknownContentCoding(self.coding)
        if self.media_type == "application/x-www-form-urlencoded":
            raise NotCsv(
                "The body was sent as a web form, as curl --data does by default: send the header "
                "Content-Type: text/csv with it."
            )
        if self.media_type and not is_form and self.media_type not in RAW_TYPES:
            raise NotCsv(f"Content-Type {self.media_type!r} is not CSV: send text/csv.")

    def chunks(self) -> Iterator[bytes]:
        """The body as it comes. Raises ClientGone, ClientTooSlow or MismatchedDigest."""
        return self._received() if self.digest is None else self.digest.checked(self._received())

    def _received(self) -> Iterator[bytes]:
        received = 0
        while chunk := _read(self.stream):
            received += len(chunk)
            yield chunk
        # gunicorn ends a body that was broken off as if it were complete.
        if self.length is not None and received < self.length:
            raise ClientGone(f"The body ended after {received} of {self.length} bytes.")


@dataclass(frozen=True)
class ReceivedFile:
    """The inflated file's size in bytes, its hash in hexadecimal digits, and whether it is CSV."""

    size: int
    sha256: str
    is_workbook: bool = False


@dataclass(frozen=True)
class UploadedFile:
    """The file within a body: its name there, if any, and its bytes, `gzipped` or not."""

    filename: str | None
    gzipped: bool
    chunks: Iterator[bytes]
    limit: int

    def open(self, filename: str) -> tuple[bool, Iterator[bytes]]:
        """Whether it is a workbook, and its bytes, inflated.

        It is gzip if it was declared so or its name ends in `.gz`. Raises NotCsv and, also from the
        iterator, TooLarge, BadGzip, BadForm, and what `RequestBody.chunks` raises.
        """
        gzipped = self.gzipped or filename.lower().endswith(".gz")
        content = inflated(self.chunks) if gzipped else self.chunks
        return recognise(_limited(content, self.limit))

    def receive(self, filename: str, write: Callable[[bytes], object]) -> ReceivedFile:
        """Pass the file, which is kept as `filename`, to `write`, a piece at a time, inflated.

        Raises what `open` raises.
        """
        size, digest = 0, sha256()
        is_workbook, checked = self.open(filename)
        for chunk in checked:
            size += len(chunk)
            digest.update(chunk)
            BYTES.inc(len(chunk))
            write(chunk)
        return ReceivedFile(size, digest.hexdigest(), is_workbook)


def _read(stream: Stream) -> bytes:
    try:
        return stream.read(_CHUNK)
    except ClientTooSlow:
        raise
    except (OSError, ClientDisconnected, ParseException) as error:
        raise ClientGone("The body broke off or is not framed as HTTP says.") from error


def _limited(chunks: Iterable[bytes], limit: int, slack: int = 0) -> Iterator[bytes]:
    """The same bytes; raises TooLarge at the first byte beyond `limit` and `slack`."""
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > limit + slack:
            raise TooLarge(limit)
        yield chunk


def _file_part(chunks: Iterable[bytes], boundary: str) -> tuple[str | None, str, Iterator[bytes]]:
    """The file name, media type and bytes of the part `file` of a form (RFC 7578).

    A form with another part is refused, for it would be an option that is ignored: options are
    query parameters. As the file is streamed, a part after it is only seen, and refused, at its
    end. Raises BadForm, also from the iterator.
    """
    if not boundary or not boundary.isascii():
        raise BadForm("The Content-Type of a form needs its boundary.")
    events = _form_events(chunks, MultipartDecoder(boundary.encode(), _DECODER_BYTES))
    for event in events:
        if isinstance(event, (File, Field)):
            _check_part_name(event)
            media_type, _ = parse_options_header(event.headers.get("Content-Type"))
            filename = event.filename if isinstance(event, File) else None
            return filename or None, media_type, _part_content(events)
        if not isinstance(event, Preamble):
            break
    raise BadForm("The form has no part named file.")


def _part_content(events: Iterator[Event]) -> Iterator[bytes]:
    for event in events:
        if isinstance(event, Data):
            if event.data:
                yield event.data
        elif isinstance(event, (File, Field)):
            _check_part_name(event)
            raise BadForm("The form has more than one part named file: send one upload for each.")


def _check_part_name(event: File | Field) -> None:
    if event.name != "file":
        raise BadForm(
            f"The form has a part named {event.name!r}: send the file as the only part, named "
            "file, and options as query parameters."
        )


def _form_events(chunks: Iterable[bytes], decoder: MultipartDecoder) -> Iterator[Event]:
    try:
        for chunk in chunks:
            decoder.receive_data(chunk)
            while not isinstance(event := decoder.next_event(), NeedData):
                yield event
        decoder.receive_data(None)
        while not isinstance(event := decoder.next_event(), Epilogue):
            yield event
    except (ValueError, RequestEntityTooLarge) as error:
        raise BadForm("The body is not a multipart form per RFC 7578.") from error
