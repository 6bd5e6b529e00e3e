"""Telling the uploader, once for each upload that is final."""

from enum import StrEnum

import structlog

from muster.csvstore import CsvStore
from muster.mail import Mailer, MailError
from muster.uploads import UNFINISHED, State, Upload, now
from notification.emails import NoAddress, compose

log = structlog.get_logger(__name__)

FINAL = frozenset(State) - UNFINISHED


class Outcome(StrEnum):
    """What became of an email."""

    SENT = "sent"
    REFUSED = "refused"
    ALREADY_SENT = "already_sent"


class NotFinal(Exception):
    """The upload is not final yet: there is nothing to tell."""


class Notifier:
    """Sends the emails. What is told is marked in the upload's record, by `notified_at`."""

    def __init__(self, store: CsvStore, mailer: Mailer, *, sender: str, public_url: str) -> None:
        self._store = store
        self._mailer = mailer
        self._sender = sender
        self._public_url = public_url

    def notify(self, upload_id: str) -> Outcome:
        """Send the email about the upload, unless it was sent; return what became of it.

        REFUSED says that it never will be taken, which is logged and ends it. Sending comes before
        marking, so after a failure in between the same email, of the same `Message-ID`, is sent
        again. Raises UploadNotFound, NotFinal, StoreUnavailable, or a MailError that may pass.
        """
        upload = self._store.get(upload_id)
        if upload.notified_at is not None:
            return Outcome.ALREADY_SENT
        if not upload.state.is_final:
            raise NotFinal(f"the upload is {upload.state}")
        outcome = self._send(upload)
        self._store.update(upload.id, expect=FINAL, notified_at=now())
        return outcome

    def _send(self, upload: Upload) -> Outcome:
        try:
            self._mailer.send(compose(upload, sender=self._sender, public_url=self._public_url))
        except NoAddress as error:
            log.error("email has no recipient", upload_id=upload.id, error=str(error))
            return Outcome.REFUSED
        except MailError as error:
            if not error.permanent:
                raise
            log.error("email refused for good", upload_id=upload.id, error=str(error))
            return Outcome.REFUSED
        log.info("email sent", upload_id=upload.id, state=upload.state)
        return Outcome.SENT
