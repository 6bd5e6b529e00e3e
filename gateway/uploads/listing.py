"""Which uploads are listed, and how far one request looks for them.

The stores find uploads by user, state and table in their indexes, newest first. A part of a file
name, or a person, no index answers: LOOKED_THROUGH uploads are read for it at most, and the list
goes on from there with its cursor. Where a time begins is searched for by halves, as uploads are
nearly in the order in which they were sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from muster.contracts.uploads import State, Upload
from muster.uploadstore import UploadStore

LOOKED_THROUGH = 2000
_AT_ONCE = 250
_CORRECTIONS = 1000
# By so much may the times of uploads, which several gateways say, be out of their order.
_DISORDER = timedelta(minutes=10)


@dataclass(frozen=True)
class UploadFilter:
    """What the uploads have in common; None is anything.

    `filename` is a part of theirs, caseless, and `submitted_by` a person's address. They were sent
    at or after `submitted_after`, and before `submitted_before`. They correct rows of `previous`.
    """

    state: State | None = None
    table: str | None = None
    filename: str | None = None
    submitted_after: datetime | None = None
    submitted_before: datetime | None = None
    submitted_by: str | None = None
    previous: str | None = None

    def accepts(self, upload: Upload) -> bool:
        """Whether the upload is one of them."""
        text, person = (self.filename or "").casefold(), (self.submitted_by or "").casefold()
        return (
            self.state in {None, upload.state}
            and self.table in {None, upload.table}
            and self.previous in {None, upload.previous}
            and text in upload.filename.casefold()
            and person in {"", upload.submitted_by.casefold()}
            and (self.submitted_after is None or upload.submitted_at >= self.submitted_after)
            and (self.submitted_before is None or upload.submitted_at < self.submitted_before)
        )

    @property
    def is_for_the_store(self) -> bool:
        """Whether the store alone finds them."""
        others = (self.filename, self.submitted_after, self.submitted_before, self.submitted_by)
        return not any(others)


@dataclass(frozen=True)
class UploadList:
    """Uploads, newest first, and below which sequence more of them may be; None at the end."""

    uploads: Sequence[Upload]
    before: int | None


def list_uploads(
    records: UploadStore, owner: str | None, wanted: UploadFilter, before: int | None, limit: int
) -> UploadList:
    """At most `limit` uploads of the owner, or of all, of a sequence below `before`.

    There may be fewer though others follow. Raises StoreUnavailable.
    """
    if wanted.previous is not None:
        return _corrections(records, owner, wanted, before, limit)
    before = _from_time(records, wanted.submitted_before, before)
    page = limit + 1 if wanted.is_for_the_store else max(limit + 1, _AT_ONCE)
    found: list[Upload] = []
    for _ in range(max(1, LOOKED_THROUGH // page)):
        some = records.find(
            owner=owner, state=wanted.state, table=wanted.table, before=before, limit=page
        )
        found += filter(wanted.accepts, some)
        if len(found) > limit:
            return UploadList(found[:limit], found[limit - 1].sequence)
        if len(some) < page or _is_past(some[-1], wanted.submitted_after):
            return UploadList(found, None)
        before = some[-1].sequence
    return UploadList(found, before)


def _corrections(
    records: UploadStore, owner: str | None, wanted: UploadFilter, before: int | None, limit: int
) -> UploadList:
    found = [
        upload
        for upload in records.find_corrections(wanted.previous or "", _CORRECTIONS)
        if wanted.accepts(upload)
        and owner in {None, upload.owner}
        and (before is None or upload.sequence < before)
    ]
    more = len(found) > limit
    return UploadList(found[:limit], found[limit - 1].sequence if more else None)


def _is_past(upload: Upload, moment: datetime | None) -> bool:
    """Whether all uploads before it were sent before the moment."""
    return moment is not None and upload.submitted_at < moment - _DISORDER


def _from_time(records: UploadStore, moment: datetime | None, before: int | None) -> int | None:
    """A sequence above which all uploads were sent after the moment, no greater than `before`."""
    newest = None if moment is None else _newest(records, before)
    if moment is None or newest is None:
        return before
    beyond = moment + _DISORDER
    least, most = 0, newest.sequence + 1
    while most - least > _AT_ONCE:
        middle = (least + most) // 2
        upload = _newest(records, middle)
        if upload is None or upload.submitted_at < beyond:
            least = middle
        else:
            most = upload.sequence + 1
    return most


def _newest(records: UploadStore, before: int | None) -> Upload | None:
    found = records.find(owner=None, state=None, table=None, before=before, limit=1)
    return next(iter(found), None)
