"""What the client raises: each says what happened and what to do."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Self


class MusterError(Exception):
    """What every error of this package is."""


class Unreachable(MusterError):
    """No answer came, however often it was tried. Whether the last try was carried out is unknown.

    To repeat an upload later without loading it twice, send it with the same idempotency key.
    """


class NotMuster(MusterError):
    """What answers at the address is not Muster, or a proxy before it."""


class TableNotKnown(MusterError):
    """Neither the caller nor the name of the file says which table it is for."""


class Refused(MusterError):
    """Muster refused: a problem document (RFC 9457). `docs/errors.md` lists the kinds.

    `kind` is the code, such as "too-large", `errors` the wrong fields or rows, and `retry_after`
    the seconds after which the same request may succeed.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.errors = tuple(errors)
        self.request_id = request_id
        self.retry_after = retry_after

    @classmethod
    def from_problem(cls, problem: Mapping[str, Any], retry_after: float | None) -> Self:
        """The error that a problem document describes."""
        status, title = int(problem["status"]), str(problem["title"])
        return cls(
            status,
            # The last part of a URN or of a link to the errors page.
            re.split("[:#/]", str(problem.get("type", "")))[-1],
            title,
            str(problem.get("detail", title)),
            errors=problem.get("errors") or (),
            request_id=problem.get("request_id"),
            retry_after=retry_after,
        )
