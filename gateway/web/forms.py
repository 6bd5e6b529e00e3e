"""The forms of the page: how large one may be, and of which kind."""

from typing import IO, TYPE_CHECKING
from urllib.parse import parse_qsl

from flask import Flask, Request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.formparser import FormDataParser

if TYPE_CHECKING:
    from collections.abc import Mapping

_URLENCODED = "application/x-www-form-urlencoded"
_MOST_FIELDS = 100


class _FormParser(FormDataParser):
    """Parses what a form of the page sends, and nothing else.

    By itself Werkzeug makes objects of any number of fields, and files on disk of a multipart form.
    """

    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,  # noqa: ARG002 - Werkzeug's
        options: "Mapping[str, str] | None" = None,  # noqa: ARG002
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]:
        """The fields. Raises RequestEntityTooLarge and UnsupportedMediaType."""
        if mimetype != _URLENCODED:
            raise UnsupportedMediaType(f"This form is to be sent as {_URLENCODED}.")
        body = stream.read()
        most = self.max_form_parts or 0
        if body.count(b"&") >= most:
            raise RequestEntityTooLarge("Too much was filled in at once: send it in parts.")
        fields = parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
        return stream, self.cls(fields), self.cls()


class PageRequest(Request):
    """A request of which a form has no more bytes than any body may, and few fields.

    A view whose form is larger sets `max_content_length` and `max_form_parts`.
    """

    form_data_parser_class = _FormParser


def install_forms(app: Flask) -> None:
    """Have `app` take no other forms."""
    app.request_class = PageRequest
    app.config["MAX_FORM_PARTS"] = _MOST_FIELDS


def allow_form(request: Request, size: int, fields: int) -> None:
    """Let the form of this request have so many bytes and fields."""
    request.max_content_length, request.max_form_parts = size, fields
