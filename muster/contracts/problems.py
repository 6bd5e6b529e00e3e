"""The types of problems over HTTP (RFC 9457), and what people are told about each.

Whatever answers with a problem names its kind alone: the status and the title stand here, so that
they are always the same. `docs/errors.md` and the gateway's page of errors are made from it, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ERRORS_PAGE = "/docs/errors"
"""Where the gateway explains every problem: the type of each leads there.

A path, so that a type is the same text in every installation and yet opens in the one that answered
so. RFC 9457, section 3.1.1, allows that, and asks for the whole path.
"""

ProblemKind = Literal[
    "bad-request",
    "digest-invalid-values",
    "digest-mismatched-values",
    "incomplete-body",
    "inconsistent-upload-length",
    "malformed-json",
    "unauthorized",
    "forbidden",
    "cross-site",
    "not-by-key",
    "not-found",
    "method-not-allowed",
    "not-acceptable",
    "body-timeout",
    "head-timeout",
    "already-final",
    "already-undone",
    "append-in-flight",
    "delivery-waits",
    "email-taken",
    "idempotency-key-in-flight",
    "last-administrator",
    "mismatching-upload-offset",
    "not-a-dry-run",
    "not-cancellable",
    "not-finished",
    "not-undoable",
    "nothing-to-undo",
    "row-referred",
    "too-many-keys",
    "too-many-webhooks",
    "undo-waits",
    "webhook-disabled",
    "file-damaged",
    "file-removed",
    "link-not-valid",
    "undo-expired",
    "length-required",
    "too-large",
    "uri-too-long",
    "unsupported-media-type",
    "not-a-part",
    "not-csv",
    "unknown-encoding",
    "range-not-satisfiable",
    "expectation-failed",
    "invalid-request",
    "bad-form",
    "bad-gzip",
    "idempotency-key-invalid",
    "idempotency-key-reused",
    "rows-rejected",
    "wrong-rows",
    "too-many-attempts",
    "too-many-bytes",
    "too-many-emails",
    "too-many-of-yours",
    "too-many-tests",
    "too-many-uploads",
    "request-header-fields-too-large",
    "internal-error",
    "not-implemented",
    "unavailable",
    "busy",
    "queue-too-long",
    "record-set-aside",
    "too-many-logins",
    "too-many-previews",
    "too-many-slow",
    "too-many-streams",
    "too-many-waiters",
]


@dataclass(frozen=True)
class ProblemType:
    """A kind of problem: its status and its title, what it means, and what the caller does.

    What is typed stands between backticks. `see` is a further sentence of the documentation, in
    Markdown.
    """

    status: int
    title: str
    meaning: str
    remedy: str
    see: str = ""


def uri_of(kind: ProblemKind) -> str:
    """The `type` of a problem of this kind."""
    return f"{ERRORS_PAGE}#{kind}"


def kind_of(uri: str, status: int) -> ProblemKind:
    """The kind that has this `type`; of one that is not known here, the first with its status."""
    ours = (kind for kind in PROBLEM_TYPES if uri == uri_of(kind))
    return next(ours, None) or first_kind(status)


def first_kind(status: int) -> ProblemKind:
    """The most general kind with this status; without any, an internal error."""
    alike = (kind for kind, each in PROBLEM_TYPES.items() if each.status == status)
    return next(alike, "internal-error")


PROBLEM_TYPES: Mapping[ProblemKind, ProblemType] = {
    "bad-request": ProblemType(
        400,
        "Bad request",
        "the request is not HTTP as RFC 9112 has it",
        "check what sends it",
    ),
    "digest-invalid-values": ProblemType(
        400,
        "Not a digest",
        "`Content-Digest` is not written as RFC 9530 has it, or a digest is too short or too long",
        "write it as `sha-256=:…:`, with all of the digest in base64",
    ),
    "digest-mismatched-values": ProblemType(
        400,
        "Another digest",
        "the body is not the one of which `Content-Digest` has the digest: it was changed on its "
        "way, or is another; nothing of it was kept",
        "send it again; if it happens again, check how the digest is made, and the proxies in "
        "between",
    ),
    "incomplete-body": ProblemType(
        400,
        "Incomplete body",
        "the body ended early",
        "send it again; if it happens again, check the proxies in between",
    ),
    "inconsistent-upload-length": ProblemType(
        400,
        "Another length",
        "the parts of an upload have more bytes than `Upload-Length` said, or the last one "
        "ends before",
        "begin it again with the length that the file has",
    ),
    "malformed-json": ProblemType(
        400,
        "Bad JSON",
        "the body is not JSON",
        "`detail` has the position: fix it there",
    ),
    "unauthorized": ProblemType(
        401,
        "Not logged in",
        "no valid token or access key, or a wrong email or password",
        "log in (again): tokens last an hour, and end when the password or the permissions "
        "change. An access key ends when it expires or is revoked, and when its owner gets "
        "another password",
    ),
    "forbidden": ProblemType(
        403,
        "Not permitted",
        "the token lacks the permission that `detail` names",
        "ask a user with `users:admin` for it",
    ),
    "cross-site": ProblemType(
        403,
        "Not from here",
        "another site made the browser send this with the cookie of the web page",
        "do it on the page itself",
    ),
    "not-by-key": ProblemType(
        403,
        "Not with an access key",
        "an access key was sent for what makes or changes keys, users, webhooks or passwords",
        "log in, and use that token",
    ),
    "not-found": ProblemType(
        404,
        "Not found",
        "there is no such upload, user, table, row or file, or it belongs to another user; an "
        "undo has no file",
        "check the id; log in as the user who sent the file",
    ),
    "method-not-allowed": ProblemType(
        405,
        "Method not allowed",
        "the path has no such method",
        "use one of those in `Allow`",
    ),
    "not-acceptable": ProblemType(
        406,
        "Not acceptable",
        "the `Accept` header allows no available type",
        "ask for what `detail` names, or for `*/*`",
    ),
    "body-timeout": ProblemType(
        408,
        "Request timeout",
        "the body came too slowly: `detail` names the limit",
        "send it again, compressed if the line is bad",
    ),
    "head-timeout": ProblemType(
        408,
        "Request timeout",
        "the head of the request came too slowly",
        "send it again",
    ),
    "already-final": ProblemType(
        409,
        "Already final",
        "the upload can't be cancelled any more",
        "nothing; to take back what it loaded, undo it",
        see="[Undo](using.md#undo).",
    ),
    "already-undone": ProblemType(
        409,
        "Already undone",
        "all that the upload wrote is taken back, by the undo that `undo` names (null if it "
        "is another user's)",
        "to have the rows back, undo that undo",
    ),
    "append-in-flight": ProblemType(
        409,
        "Still in flight",
        "another request is sending a part of the upload, or did until its gateway died",
        "ask for the offset again in a second; if its gateway died, in half a minute",
    ),
    "delivery-waits": ProblemType(
        409,
        "Still waiting",
        "the delivery still waits to be sent",
        "nothing: it is tried again by itself",
    ),
    "email-taken": ProblemType(
        409,
        "Email taken",
        "another user has this email",
        "change that user, or use another email",
    ),
    "idempotency-key-in-flight": ProblemType(
        409,
        "Still in flight",
        "a request with this key is in progress",
        "try again in a second; if its client died, in a minute",
    ),
    "last-administrator": ProblemType(
        409,
        "Last administrator",
        "no administrator would be left",
        "give another user `users:admin` first",
    ),
    "mismatching-upload-offset": ProblemType(
        409,
        "Another offset",
        "the part does not begin where what has come ends: at `Upload-Offset`",
        "send from there on",
    ),
    "not-a-dry-run": ProblemType(
        409,
        "Nothing to load from it",
        "only a dry run that is `validated` can be loaded: the upload was none, or failed, or "
        "was cancelled, or is an undo or an erasure",
        "correct the file, and send it again",
    ),
    "not-cancellable": ProblemType(
        409,
        "Can't be cancelled",
        "an erasure can't be cancelled",
        "nothing; to have the row again, load it again",
    ),
    "not-finished": ProblemType(
        409,
        "Not finished",
        "the rejects are known only once the upload is final",
        "wait for it, with `Prefer: wait=60`",
    ),
    "not-undoable": ProblemType(
        409,
        "Can't be undone",
        "an erasure is for good",
        "to have the row again, load it again",
    ),
    "nothing-to-undo": ProblemType(
        409,
        "Nothing to undo",
        "the upload is not final, was a dry run, failed, was cancelled, or changed no row",
        "wait for it or cancel it; otherwise there is nothing to do",
    ),
    "row-referred": ProblemType(
        409,
        "Other rows refer to it",
        "the row can't be erased while other rows refer to it: `detail` names some",
        "change or erase those first",
    ),
    "too-many-keys": ProblemType(
        409,
        "Too many access keys",
        "you have 50 access keys already",
        "revoke one that is not used any more: the list says when each was",
    ),
    "too-many-webhooks": ProblemType(
        409,
        "Too many webhooks",
        "you have ten webhooks, as many as a user may have",
        "delete one",
        see="[Webhooks](webhooks.md).",
    ),
    "undo-waits": ProblemType(
        409,
        "An undo of it waits",
        "an undo of the upload is not final yet: `undo` names it (null if it is another user's)",
        "wait for it, with `Prefer: wait=60`, or cancel it",
    ),
    "webhook-disabled": ProblemType(
        409,
        "Webhook disabled",
        "the webhook is disabled, by you or because it answered 410 Gone",
        'enable it, with `PATCH` and `{"enabled": true}`',
    ),
    "file-damaged": ProblemType(
        410,
        "Damaged",
        "parts of the stored file, or of the stored rejects, are lost",
        "ask the operators whether a backup has them; otherwise send the file again",
        see="[Backup](backup.md).",
    ),
    "file-removed": ProblemType(
        410,
        "Not kept",
        "the file and its rejects are no longer kept: `MUSTER_KEEP_FILES_DAYS` have passed, "
        "or a row that may stand in them was erased",
        "the counts are kept; if rows are missing, send a file with them again",
        see="[What is kept](privacy.md).",
    ),
    "link-not-valid": ProblemType(
        410,
        "Link not valid",
        "the link in the email was used already, is older than 24 hours, or ended with the "
        "account or a new password",
        "ask for another: `POST /v1/password-resets`, or whoever invited you",
    ),
    "undo-expired": ProblemType(
        410,
        "Too old to be undone",
        "the rows as they were before the upload were kept for `MUSTER_UNDO_DAYS`, and are "
        "gone, or a version without undo loaded it",
        "send a file with the rows as they should be",
    ),
    "length-required": ProblemType(
        411,
        "Length required",
        "the body has no length",
        "send `Content-Length`",
    ),
    "too-large": ProblemType(
        413,
        "Too large",
        "the file, preview, batch, form or other body is over the limit that `detail` names",
        "split it; operators can raise `MUSTER_MAX_UPLOAD_BYTES`",
    ),
    "uri-too-long": ProblemType(
        414,
        "URI too long",
        "the path and the query are too long",
        "shorten them",
    ),
    "unsupported-media-type": ProblemType(
        415,
        "Not JSON",
        "a batch that is not JSON",
        "send `Content-Type: application/json`",
    ),
    "not-a-part": ProblemType(
        415,
        "Not a part of an upload",
        "a part of an upload with another content type",
        "send it with `Content-Type: application/partial-upload`",
    ),
    "not-csv": ProblemType(
        415,
        "Not CSV",
        "a zip that is no workbook, a PDF, an image, a web page, JSON, Parquet, Avro or "
        "Arrow, or a content type that is neither CSV nor a workbook",
        "save it as CSV; a raw body needs `Content-Type: text/csv`",
    ),
    "unknown-encoding": ProblemType(
        415,
        "Unknown content coding",
        "a content coding other than gzip",
        "send it as gzip, or uncompressed",
    ),
    "range-not-satisfiable": ProblemType(
        416,
        "Range not satisfiable",
        "the file ends before the range begins",
        "ask for a part that is there",
    ),
    "expectation-failed": ProblemType(
        417,
        "Expectation failed",
        "`Expect` asks for what there is not",
        "leave it out",
    ),
    "invalid-request": ProblemType(
        422,
        "Invalid request",
        "bad fields, listed in `errors`",
        "fix them; an unknown parameter is an error, too",
    ),
    "bad-form": ProblemType(
        422,
        "Not such a form",
        "a multipart form without the part `file`, or with others",
        "`curl -F file=@NAME.csv`",
    ),
    "bad-gzip": ProblemType(
        422,
        "Not gzip",
        "the body should be gzip and is not, or ends early",
        "compress it again; a `.gz` name means that the file is gzip",
    ),
    "idempotency-key-invalid": ProblemType(
        422,
        "Bad idempotency key",
        "the key is not 1 to 255 printable ASCII characters",
        "use another, such as a UUID",
    ),
    "idempotency-key-reused": ProblemType(
        422,
        "Idempotency key used before",
        "the key belongs to another request",
        "use a new key for a new request",
    ),
    "rows-rejected": ProblemType(
        422,
        "Some rows are wrong",
        "bad rows in a batch: `errors` lists the first 1,000 (`MUSTER_MAX_BATCH_ERRORS`) of "
        "`errors_total`; nothing was written",
        "fix them and send the whole batch again",
    ),
    "wrong-rows": ProblemType(
        422,
        "Not a batch",
        "a batch that is not 1 to 1,000 row objects",
        "send several batches, or a file",
    ),
    "too-many-attempts": ProblemType(
        429,
        "Too many attempts",
        "too many logins failed, too many access keys or links were not valid, or too many "
        "links were asked for, from this address",
        "wait as long as `Retry-After` says",
    ),
    "too-many-bytes": ProblemType(
        429,
        "Too many bytes today",
        "with this upload you would have sent more in this day of UTC than a user may: "
        "`MUSTER_BYTES_PER_USER_A_DAY`",
        "send it again after midnight UTC, which `Retry-After` tells; nothing of it was kept",
    ),
    "too-many-emails": ProblemType(
        429,
        "Too many emails",
        "three emails with links went to this address within an hour",
        "use the last one, or wait",
    ),
    "too-many-of-yours": ProblemType(
        429,
        "Too many of yours",
        "the maximum number of your requests wait for uploads already",
        "end one, or ask without waiting",
    ),
    "too-many-tests": ProblemType(
        429,
        "Too many tests",
        "ten tests and replays of the webhook began within a minute",
        "wait for as many seconds as `Retry-After` says",
    ),
    "too-many-uploads": ProblemType(
        429,
        "Too many of your uploads",
        "as many of your uploads as may be are not final yet: `MUSTER_UPLOADS_PER_USER`",
        "wait for one of them, with `Prefer: wait=60`, and send this one again, with the same "
        "`Idempotency-Key`; nothing of it was kept",
    ),
    "request-header-fields-too-large": ProblemType(
        431,
        "Head too large",
        "the head of the request is larger than `MUSTER_MAX_HEAD_BYTES`",
        "send fewer or shorter headers and parameters",
    ),
    "internal-error": ProblemType(
        500,
        "Internal error",
        "a fault in Muster",
        "give the operators the `request_id`: the log has it",
    ),
    "not-implemented": ProblemType(
        501,
        "Not implemented",
        "a transfer coding other than chunked",
        "send it chunked, or with a `Content-Length`",
    ),
    "unavailable": ProblemType(
        503,
        "Temporarily unavailable",
        "a backend does not answer",
        "send it again after `Retry-After`, with the same `Idempotency-Key`",
    ),
    "busy": ProblemType(
        503,
        "Busy",
        "too many requests are on their way",
        "send it again after `Retry-After`",
    ),
    "queue-too-long": ProblemType(
        503,
        "Too much is waiting",
        "an upload has waited to be loaded for longer than `MUSTER_MAX_QUEUED_SECONDS`, so no "
        "more are taken",
        "send it again later, at least after `Retry-After`, with the same `Idempotency-Key`; "
        "nothing of it was kept",
    ),
    "record-set-aside": ProblemType(
        503,
        "Set aside",
        "this version can't read the upload's record, which is kept",
        "tell the operators",
        see="[Records set aside](troubleshooting.md#records-set-aside).",
    ),
    "too-many-logins": ProblemType(
        503,
        "Too many logins",
        "too many passwords are being checked at this moment",
        "try again after `Retry-After`",
    ),
    "too-many-previews": ProblemType(
        503,
        "Too many previews",
        "as many workbooks are previewed as may be at once, or one of yours already",
        "ask again after `Retry-After`, or upload the file without a preview",
    ),
    "too-many-slow": ProblemType(
        503,
        "Too many are slow",
        "this client was slow while the maximum number of slow clients was reached, or it was "
        "the slowest of them",
        "send it again after `Retry-After`; a body of up to 64 KiB with a `Content-Length` is "
        "not limited",
    ),
    "too-many-streams": ProblemType(
        503,
        "Too many are reading",
        "as many tables as may be are just being read as a whole, as CSV",
        "try again after `Retry-After`, or read the rows by pages",
    ),
    "too-many-waiters": ProblemType(
        503,
        "Too many are waiting",
        "too many requests are waiting for uploads",
        "ask without `Prefer: wait`, every few seconds",
    ),
}
"""By status, the most general first, then by name."""
