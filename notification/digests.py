"""Digests: which of a user's uploads are told in one email, and that none is lost on the way.

The first upload of a user opens a window of a minute, which this process remembers; the message of
each goes back to the broker until its end. Then the first that comes again leads the digest: the
record of each upload is made to name its leader, and that of the leader then lists them all. Only
what is so listed is sent. Afterwards the others are settled, and the leader last.

A process that is killed before the list is written has sent nothing, and the uploads gather in a
window of the next one. After that, whichever of them comes next finds the list, and the same email
is sent again, under the same `Message-ID`.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from muster.contracts.uploads import UNFINISHED, Digest, State, UnreadableRecord, Upload
from muster.uploadstore import UploadNotFound, UploadStore

WINDOW_SECONDS = 60.0
MOST_UPLOADS = 500
"""How many uploads one email tells of."""
_FINAL = frozenset(State) - UNFINISHED


class DigestNotDue(Exception):
    """The upload is told in a digest, in so many `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the digest is due in {seconds:.0f} s")
        self.seconds = seconds


@dataclass
class _Window:
    ends_at: float
    uploads: dict[str, None] = field(default_factory=dict)


class Digests:
    """The windows of all users, in one consumer. Every call may raise StoreUnavailable."""

    def __init__(self, store: UploadStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._windows: dict[tuple[str, str], _Window] = {}

    def gather(self, upload: Upload) -> list[Upload]:
        """The uploads to tell in one email, its leader first, as their records have it.

        Raises DigestNotDue while others may still join the upload.
        """
        listed = self._listed(upload)
        return self._close(upload) if listed is None else listed

    def _listed(self, upload: Upload) -> list[Upload] | None:
        """The digest that the upload was put into for good; None if there is none."""
        if upload.digest is None:
            return None
        leads = upload.digest.leader == upload.id
        found = [upload] if leads else list(self._read([upload.digest.leader]))
        for leader in found:
            uploads = leader.digest.uploads if leader.digest is not None else ()
            if upload.id in uploads and not _is_settled(leader):
                return [leader, *self._read(each for each in uploads if each != leader.id)]
        return None

    def _close(self, upload: Upload) -> list[Upload]:
        user = (upload.owner, upload.submitted_by)
        window = self._windows.setdefault(user, _Window(self._clock() + WINDOW_SECONDS))
        window.uploads[upload.id] = None
        left = window.ends_at - self._clock()
        if left > 0 and len(window.uploads) < MOST_UPLOADS:
            raise DigestNotDue(left)
        others = [
            each
            for each in self._read(name for name in window.uploads if name != upload.id)
            if not _is_settled(each) and self._listed(each) is None
        ]
        digest = Digest(upload.id, (upload.id, *(each.id for each in others)))
        named = {each.id: {"digest": Digest(upload.id)} for each in others}
        others = self._store.update_each(named, expect=_FINAL) if named else []
        leader = self._store.update(upload.id, expect=_FINAL, digest=digest)
        del self._windows[user]
        return [leader, *others]

    def _read(self, uploads: Iterable[str]) -> Iterable[Upload]:
        for upload_id in uploads:
            with suppress(UploadNotFound, UnreadableRecord):
                yield self._store.get(upload_id)


def _is_settled(upload: Upload) -> bool:
    return upload.email is not None and upload.email.is_settled
