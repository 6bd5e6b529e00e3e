"""JSON from outside, read into a dataclass or refused with a reason.

Unknown fields are passed over and missing ones have their defaults, at every level of nesting, so
that versions can run side by side. Whatever the bytes are, nothing but `Unreadable` is raised: not
JSON, not UTF-8, half a surrogate, nested too deep, a value of another type or one that this
version doesn't know.
"""

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")

_LONGEST_REASON = 300
_LONGEST_VALUE = 40
_OF_A_SET = frozenset({"enum", "literal_error"})


class Unreadable(Exception):
    """Not what it should be; the message says why, in one line that is fit to be shown."""


def read_json(reader: TypeAdapter[T], text: str | bytes) -> T:
    """What `text` says, as the type of `reader`; raises Unreadable."""
    try:
        # Strict: a number in quotes is no number.
        return reader.validate_json(text, strict=True)
    except ValidationError as error:
        # Without its cause, which shows what was read: names and addresses of people.
        raise Unreadable(_reason(error)) from None


def _reason(error: ValidationError) -> str:
    errors = error.errors(include_url=False, include_context=False)
    place = ".".join(map(str, errors[0]["loc"]))
    reason = f"{place}: {errors[0]['msg']}" if place else errors[0]["msg"]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{reason}{_unknown_value(errors[0])}"[:_LONGEST_REASON] + more


def _unknown_value(error: Any) -> str:
    """The value, where it is a word that another version may know."""
    value = error["input"]
    if error["type"] not in _OF_A_SET or not isinstance(value, str):
        return ""
    return f", not {value[:_LONGEST_VALUE]!r}"
