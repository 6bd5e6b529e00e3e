"""The body of an email: plain text and HTML, from a pair of templates."""

from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    auto_reload=False,
)


def write_body(message: EmailMessage, template: str, **values: object) -> None:
    """Write both parts of a message that has its `Message-ID`; a repeat has the same bytes."""
    text = _templates.get_template(f"{template}.txt").render(values)
    html = _templates.get_template(f"{template}.html").render(values)
    # Quoted-printable passes every server and holds lines of any length.
    message.set_content(text, cte="quoted-printable")
    # The library would look for one that is not in the text. It can't hold this (RFC 2045, 6.7).
    message.make_alternative(f"=_{sha256(str(message['Message-ID']).encode()).hexdigest()[:32]}")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
