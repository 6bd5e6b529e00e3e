"""Why the gateway turns a request away; `answers.py` says which status each has."""

from muster.contracts.tables import tables
from muster.contracts.uploads import Upload


class WrongColumns(Exception):
    """The option `columns` can't be used; the message says why and what to write."""


class TooLarge(Exception):
    """The file has more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"An upload may have {limit:,} bytes at most; cut the file into parts.")
        self.limit = limit


class NotCsv(Exception):
    """The body is of a kind that is not CSV; the message says which and what to send."""


class UnknownEncoding(Exception):
    """The body has a content coding other than gzip."""

    def __init__(self, coding: str) -> None:
        super().__init__(f"The content coding {coding!r} is not known here: use gzip, or none.")


class BadGzip(Exception):
    """What should be gzip is not, or ends too early."""


class BadForm(Exception):
    """A multipart form that is malformed, has no part `file`, or has others."""


class BadFilename(Exception):
    """A file name that can't be kept."""


class TableNotNamed(Exception):
    """Neither the option nor the file name says which table the file is for."""

    def __init__(self) -> None:
        super().__init__(
            "Say which table the file is for: add ?table=NAME, or name the file NAME.csv. "
            f"The tables are {', '.join(tables())}."
        )


class PreviousNotFound(Exception):
    """The upload that is said to be mended is not there, or somebody else's."""

    def __init__(self) -> None:
        super().__init__("there is no such upload")


class ClientGone(Exception):
    """The client broke off, or sent a body that is not framed as HTTP says."""


class KeyInFlight(Exception):
    """Another request with the same idempotency key has not been answered yet."""


class KeyReused(Exception):
    """The idempotency key belongs to another request."""


class NotFinished(Exception):
    """The loader has not finished `upload`, so there are no rejects yet."""

    def __init__(self, upload: Upload) -> None:
        super().__init__(f"The upload is {upload.state}: its rejects are known once it is final.")


class TooManyWaiters(Exception):
    """As many requests as may are waiting for uploads already."""


class TooManyWaitersOfUser(Exception):
    """As many requests as may of one user are waiting for uploads already."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} requests of yours wait for uploads, as many as may: end one, or ask without "
            "waiting."
        )
