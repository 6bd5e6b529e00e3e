"""The part `file` of a multipart form (RFC 7578), streamed: nothing of it is kept in between."""

from collections.abc import Iterable, Iterator

from werkzeug.exceptions import RequestEntityTooLarge
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

from gateway.errors import BadForm

# Far more than one chunk and the headers of a part.
_BUFFER_BYTES = 512 * 1024


def file_part(chunks: Iterable[bytes], boundary: str) -> tuple[str | None, str, Iterator[bytes]]:
    """The file name, media type and bytes of the part `file`.

    A form with another part is refused, for it would be an option that goes unheard: options are
    query parameters. As the file is streamed, a part after it is only seen, and refused, at its
    end. Raises BadForm, also from the iterator.
    """
    if not boundary or not boundary.isascii():
        raise BadForm("The Content-Type of a form needs its boundary.")
    events = _events(chunks, MultipartDecoder(boundary.encode(), _BUFFER_BYTES))
    for event in events:
        if isinstance(event, (File, Field)):
            _check_name(event)
            media_type, _ = parse_options_header(event.headers.get("Content-Type"))
            filename = event.filename if isinstance(event, File) else None
            return filename or None, media_type, _content(events)
        if not isinstance(event, Preamble):
            break
    raise BadForm("The form has no part named file.")


def _content(events: Iterator[Event]) -> Iterator[bytes]:
    for event in events:
        if isinstance(event, Data):
            if event.data:
                yield event.data
        elif isinstance(event, (File, Field)):
            _check_name(event)
            raise BadForm("The form has more than one part named file: send one upload for each.")


def _check_name(event: File | Field) -> None:
    if event.name != "file":
        raise BadForm(
            f"The form has a part named {event.name!r}: send the CSV as the only part, named file, "
            "and options as query parameters."
        )


def _events(chunks: Iterable[bytes], decoder: MultipartDecoder) -> Iterator[Event]:
    try:
        for chunk in chunks:
            decoder.receive_data(chunk)
            while not isinstance(event := decoder.next_event(), NeedData):
                yield event
        decoder.receive_data(None)
        while not isinstance(event := decoder.next_event(), Epilogue):
            yield event
    except (ValueError, RequestEntityTooLarge) as error:
        raise BadForm("The body is not a multipart form as RFC 7578 has it.") from error
