"""Telling the uploader, once for each upload that is final."""

from enum import StrEnum

import structlog

from muster.contracts.uploads import UNFINISHED, Email, EmailState, State, Upload, now
from muster.crashpoints import Point, crash_point
from muster.csvstore import CsvStore
from muster.mail import Mailer, MailError
from muster.observability.spans import span
from muster.observability.tracing import bind_log_fields
from notification.emails import NoAddress, compose
from notification.metrics import MAIL_WAIT_SECONDS
from notification.visible import visible

log = structlog.get_logger(__name__)

FINAL = frozenset(State) - UNFINISHED


_LONGEST_REASON = 400


class Outcome(StrEnum):
    """What a message led to."""

    SENT = "sent"
    REFUSED = "refused"
    REPEATED = "repeated"


class NotFinal(Exception):
    """The upload is not final yet: there is nothing to tell."""


class Notifier:
    """Sends the emails. What became of each stands in the upload's record, as `email`."""

    def __init__(self, store: CsvStore, mailer: Mailer, *, sender: str, public_url: str) -> None:
        self._store = store
        self._mailer = mailer
        self._sender = sender
        self._public_url = public_url

    def notify(self, upload_id: str, *, is_last_try: bool = False) -> Outcome:
        """Send the email about the upload, unless that is settled; return what became of it.

        REFUSED says that it never will be taken, which ends it. Sending comes before recording it,
        so after a failure in between the same email, of the same `Message-ID`, is sent again.
        Raises UploadNotFound, NotFinal, StoreUnavailable, or a MailError that may pass: then the
        record says that the email waits or, on the last try, is given up.
        """
        upload = self._store.get(upload_id)
        bind_log_fields(upload_id=upload.id, user=upload.owner)
        if upload.email is not None and upload.email.is_settled:
            return Outcome.REPEATED
        if not upload.state.is_final:
            raise NotFinal(f"the upload is {upload.state}")
        try:
            self._send(upload)
        except NoAddress as error:
            return self._refused(upload, error)
        except MailError as error:
            if error.permanent:
                return self._refused(upload, error)
            self._record(upload, EmailState.GIVEN_UP if is_last_try else EmailState.WAITING, error)
            raise
        crash_point(Point.NOTIFY_MAIL_SENT)
        if upload.finished_at is not None:
            MAIL_WAIT_SECONDS.observe((now() - upload.finished_at).total_seconds())
        log.info("email sent", state=upload.state)
        self._record(upload, EmailState.SENT)
        return Outcome.SENT

    def _send(self, upload: Upload) -> None:
        email = compose(upload, sender=self._sender, public_url=self._public_url)
        with span("send email", "client", {"muster.upload_id": upload.id}):
            self._mailer.send(email)

    def _refused(self, upload: Upload, error: Exception) -> Outcome:
        log.error("email refused for good", error=str(error))
        self._record(upload, EmailState.REFUSED, error)
        return Outcome.REFUSED

    def _record(self, upload: Upload, state: EmailState, error: Exception | None = None) -> None:
        reason = None if error is None else visible(str(error), _LONGEST_REASON)
        before = upload.email
        if before is None or (before.state, before.reason) != (state, reason):
            email = Email(state, now(), reason)
            self._store.update(upload.id, expect=FINAL, email=email)
            crash_point(Point.NOTIFY_EMAIL_RECORDED)
