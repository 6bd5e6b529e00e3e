"""What became of all uploads, held against what was posted and against the model."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from embedded.client import Client, Json
from tests.e2e.families import Family
from tests.e2e.model import Model
from tests.e2e.waiting import wait_until
from tests.e2e.workload import UploadFile


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
    family: Family, admin: Client, files: Sequence[UploadFile], cancelled: Collection[str]
) -> Stock:
    """Wait until everything is told, and count; fails where states, rows or tables differ.

    An upload may be cancelled if it is one of `cancelled`.
    """
    wait_until(lambda: all(_is_told(upload) for upload in admin.uploads()))
    listed = list(reversed(admin.uploads()))
    by_id = {file.accepted["id"]: file for file in files}
    ids = {upload["id"] for upload in listed}
    model = Model()
    for upload in listed:
        if upload["state"] == "cancelled":
            assert upload["id"] in cancelled
        elif upload["id"] in by_id:
            expected = model.load(by_id[upload["id"]])
            assert (upload["state"], upload["rows"]) == expected, upload["error"]
    model.assert_held_by(admin)
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


def _is_told(upload: Json) -> bool:
    return bool(upload["email"]) and upload["email"]["state"] == "sent"
