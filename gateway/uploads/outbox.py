"""The outbox: notifying the loader of what was accepted.

Each upload record says whether its message was published, so nothing else must be kept.
"""

import time
from collections.abc import Callable

import structlog

from muster.broker import Broker
from muster.broker.messaging import publish
from muster.contracts.messages import UploadAccepted
from muster.contracts.uploads import Upload
from muster.uploadstore import UploadStore
from muster.uploadstore.marks import LateMarks

log = structlog.get_logger(__name__)

_REST_SECONDS = 5.0


class Outbox:
    """Publishes `upload.accepted` and marks the record: at once, or later with others.

    A message may go out twice, or after a later one. Neither does harm: the loader takes uploads in
    the order of their sequence and skips those that are done.
    """

    def __init__(
        self,
        uploads: UploadStore,
        broker: Broker,
        later: LateMarks | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._uploads = uploads
        self._broker = broker
        self._later = later
        self._clock = clock
        self._rest_until = 0.0

    def try_publish(self, upload: Upload) -> None:
        """Publish `upload` now if the broker takes it, else leave it to the relay; raises nothing.

        After a failure nothing is tried for 5 s: while the broker is down, each upload would wait
        for the deadline. Whatever fails, the upload is accepted, and must be answered so.
        """
        if self._clock() < self._rest_until:
            return
        try:
            self.publish(upload)
        except Exception as error:  # noqa: BLE001 - the relay will see what it is
            self._rest_until = self._clock() + _REST_SECONDS
            log.warning("left to the relay", error=repr(error))

    def publish(self, upload: Upload) -> None:
        """Publish and mark; raises Unavailable."""
        publish(self._broker, UploadAccepted.about(upload), upload)
        if self._later is None:
            self._uploads.mark("published", [upload.id])
        else:
            self._later.add([upload.id])
