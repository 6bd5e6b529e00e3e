"""What the page calls the uploads that other services know by their ids alone."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from flask import g

from gateway.services import services
from muster.contracts.uploads import UnreadableRecord
from muster.contracts.wording import title_of
from muster.uploadstore import UploadNotFound
from muster.weather import StoreUnavailable


def titles_of(ids: Iterable[str]) -> Mapping[str, str]:
    """The titles of those uploads, by id; only of those that the user may see."""
    titles: dict[str, str] = {}
    if not g.principal.may("uploads:read", "uploads:admin"):
        return titles
    for id in set(ids):
        with suppress(UploadNotFound, UnreadableRecord, StoreUnavailable):
            titles[id] = title_of(services().access.get(g.principal, id))
    return titles
