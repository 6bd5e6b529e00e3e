"""All uploads, however many there are, a page of them at a time."""

from collections.abc import Iterator, Sequence

from muster.contracts.uploads import State, Upload
from muster.uploadstore import UploadStore


def upload_pages(
    uploads: UploadStore,
    size: int,
    *,
    state: State | None = None,
    table: str | None = None,
    before: int | None = None,
) -> Iterator[Sequence[Upload]]:
    """Everybody's uploads, newest first, `size` at a time: of the state and table, if given.

    They were accepted `before` the one of that number. Raises what `UploadStore.find` raises.
    """
    while page := uploads.find(owner=None, state=state, table=table, before=before, limit=size):
        yield page
        before = page[-1].sequence
