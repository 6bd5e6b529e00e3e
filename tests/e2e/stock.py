"""What became of all uploads, held against what was posted and against the model."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from embedded.client import Client, Json
from tests.e2e.families import Family
from tests.e2e.model import Model
from tests.e2e.waiting import wait_until
from tests.e2e.workload import UndoOrder, UploadFile


@dataclass(frozen=True)
class Stock:
    """Uploads and emails that are missing, and those that are there too often."""

    uploads: int
    lost: frozenset[str]
    doubled: frozenset[str]
    emails_lost: frozenset[str]
    emails: Counter[str]

    @property
    def repeated(self) -> dict[str, int]:
        """How often emails came after the first time, by their Message-ID."""
        return {name: count - 1 for name, count in self.emails.items() if count > 1}


def take_stock(
    family: Family,
    admin: Client,
    files: Sequence[UploadFile | UndoOrder],
    cancelled: Collection[str],
) -> Stock:
    """Wait until everything is told, and count; fails where states, rows or tables differ.

    An upload may be cancelled if it is one of `cancelled`.
    """
    wait_until(lambda: all(_is_told(upload) for upload in admin.uploads()))
    listed = list(reversed(admin.uploads()))
    by_id = {file.accepted["id"]: file for file in files}
    ids = {upload["id"] for upload in listed}
    _compare(admin, listed, by_id, cancelled)
    emails = Counter(str(email["Message-ID"]).strip() for email in family.emails())
    told = {f"<upload-{upload['id']}.{upload['state']}@localhost>" for upload in listed}
    assert emails.keys() <= told
    return Stock(
        uploads=len(listed),
        lost=frozenset(by_id.keys() - ids),
        doubled=frozenset(ids - by_id.keys()),
        emails_lost=frozenset(told - emails.keys()),
        emails=emails,
    )


def _compare(
    admin: Client,
    listed: Sequence[Json],
    by_id: Mapping[str, UploadFile | UndoOrder],
    cancelled: Collection[str],
) -> None:
    """Fail unless the model ends each upload, and the tables, as the suite has."""
    model = Model()
    for upload in listed:
        if upload["state"] == "cancelled":
            assert upload["id"] in cancelled
        elif upload["id"] in by_id:
            expected = _end(model, by_id[upload["id"]], upload["id"])
            assert (upload["state"], upload["rows"]) == expected, upload
    assert [each["undone_by"] for each in listed] == [model.undone_by(e["id"]) for e in listed]
    model.assert_held_by(admin)


def _end(model: Model, file: UploadFile | UndoOrder, upload_id: str) -> tuple[str, Json]:
    if isinstance(file, UndoOrder):
        return model.undo(file, upload_id)
    return model.load(file, upload_id)


def _is_told(upload: Json) -> bool:
    return bool(upload["email"]) and upload["email"]["state"] == "sent"
