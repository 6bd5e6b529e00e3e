"""The notifier: sends a message to the uploader once for each final upload, and records it.

And the emails with one-time links, of which auth keeps what became of them.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from itertools import takewhile
from typing import Any

import structlog
from cachetools import LRUCache
from prometheus_client import Counter, Histogram

from muster.contracts.links import LinkEmail
from muster.contracts.uploads import UNFINISHED, Email, EmailState, State, Upload, now
from muster.observability.tracing import bind_log_fields, working_on
from muster.uploadstore import UploadStore
from notification.accounts.choices import EmailChoices, is_wanted
from notification.channels import AccountSender, Channel, DeliveryError, Send
from notification.digests import Digests
from notification.wording import visible

log = structlog.get_logger(__name__)

OUTCOMES = ("sent", "refused", "unwanted", "repeated", "gathered", "put_off", "dead_letter")
MAILS = Counter("muster_mails_total", "Messages by what became of their email.", ("outcome",))
# From 0: a rate over a series that begins at its first event misses that event.
for _outcome in OUTCOMES:
    MAILS.labels(_outcome)
MAIL_WAIT_SECONDS = Histogram(
    "muster_mail_wait_seconds",
    "Seconds from the final state of an upload to its email being taken.",
    buckets=(0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800, 7200, 86400),
)
FINAL = frozenset(State) - UNFINISHED
_LONGEST_REASON = 400
_PAGE = 100
_MOST_BEHIND = 15
_MOST_TOLD = 1000
_EARLY_SECONDS = 0.5


class EmailOutcome(StrEnum):
    """What a message led to."""

    SENT = "sent"
    REFUSED = "refused"
    UNWANTED = "unwanted"
    REPEATED = "repeated"


class NotFinal(Exception):
    """The upload is not final yet: there is nothing to report."""


class Notifier:
    """Sends the emails. What became of each stands in the upload's record, as `email`."""

    def __init__(
        self,
        store: UploadStore,
        channel: Channel,
        choices: EmailChoices,
        digests: Digests,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._channel = channel
        self._choices = choices
        self._digests = digests
        self._clock = clock

    def notify(self, upload: Upload, *, is_last_try: bool = False) -> EmailOutcome:
        """Send the email about the upload, unless that is settled; return what became of it.

        The upload is as its record stands.

        REFUSED means that it will never be taken, UNWANTED that its reader has chosen so; either
        settles it. The email is sent before that is recorded: after a failure in between it is sent
        again, with the same `Message-ID`. Before that of an erasure, emails that may hold the
        erased row are removed where they are still ours. Raises NotFinal, StoreUnavailable,
        AuthUnavailable, DigestNotDue, or a DeliveryError that may pass: then the record says that
        the email waits or, on the last try, is given up.
        """
        bind_log_fields(upload_id=upload.id, user=upload.owner)
        if upload.email is not None and upload.email.is_settled:
            return EmailOutcome.REPEATED
        if not upload.state.is_final:
            raise NotFinal(f"the upload is {upload.state}")
        if upload.kind == "erasure":
            self._withdraw_erased(upload)
        choice = self._choices.of(upload.owner)
        if not is_wanted(upload, choice):
            log.info("email unwanted", state=upload.state)
            self._record(upload, EmailState.UNWANTED)
            return EmailOutcome.UNWANTED
        uploads = self._digests.gather(upload) if choice == "digest" else [upload]
        try:
            self._send(uploads, self._channel.send)
        except DeliveryError as error:
            if error.permanent:
                return self._refused(uploads, error)
            self._record(upload, EmailState.GIVEN_UP if is_last_try else EmailState.WAITING, error)
            raise
        self._settle(uploads, EmailState.SENT)
        return EmailOutcome.SENT

    def notify_early(self, uploads: Iterable[Upload]) -> dict[str, EmailOutcome]:
        """Send emails before their messages come, and record them all in one change.

        The uploads are final, and no email was tried. Returns what became of them, by the ids of
        their uploads: SENT or UNWANTED. Left to its own message is what takes more than to send it,
        what can't be sent, and what there is no time for. Raises StoreUnavailable: then the emails
        are sent again when the messages come.
        """
        told: dict[str, EmailOutcome] = {}
        until = self._clock() + _EARLY_SECONDS
        try:
            with self._channel.session() as send:
                for upload in takewhile(lambda _: self._clock() < until, uploads):
                    with working_on(upload):
                        outcome = self._send_early(upload, send)
                    if outcome is not None:
                        told[upload.id] = outcome
        except Exception as error:  # noqa: BLE001 - the message of each finds the same
            log.info("emails wait for their messages", error=repr(error))
        changes = {each: _settled(EmailState(outcome)) for each, outcome in told.items()}
        return {each.id: told[each.id] for each in self._store.update_each(changes, expect=FINAL)}

    def _send_early(self, upload: Upload, send: Send) -> EmailOutcome | None:
        """SENT or UNWANTED; None: it goes into a digest, or others are to be withdrawn first."""
        choice = self._choices.of(upload.owner)
        if choice == "digest" or upload.digest is not None or upload.kind == "erasure":
            return None
        if not is_wanted(upload, choice):
            return EmailOutcome.UNWANTED
        self._send([upload], send)
        return EmailOutcome.SENT

    @staticmethod
    def _send(uploads: Sequence[Upload], send: Send) -> None:
        send(uploads)
        for each in uploads:
            if each.finished_at is not None:
                MAIL_WAIT_SECONDS.observe((now() - each.finished_at).total_seconds())
        log.info("email sent", state=uploads[0].state)

    def _withdraw_erased(self, erasure: Upload) -> None:
        """Remove the messages about uploads that may have held the row.

        Here, and not by a message about each: this one comes when all of them are known, and is
        delivered again until it is done.
        """
        after = 0
        while page := self._store.erased_by(erasure.id, after, _PAGE):
            for upload in page:
                self._channel.withdraw(upload)
            after = page[-1].sequence

    def _refused(self, uploads: Sequence[Upload], error: Exception) -> EmailOutcome:
        log.error("email refused for good", error=str(error))
        self._settle(uploads, EmailState.REFUSED, error)
        return EmailOutcome.REFUSED

    def _settle(
        self, uploads: Sequence[Upload], state: EmailState, error: Exception | None = None
    ) -> None:
        """Record it of all uploads of the email: of its leader last, which says what it told of."""
        leader, *others = uploads
        settled = _settled(state, error)
        if others:
            self._store.update_each({each.id: settled for each in others}, expect=FINAL)
        self._record(leader, state, error)

    def _record(self, upload: Upload, state: EmailState, error: Exception | None = None) -> None:
        reason = _reason(error)
        before = upload.email
        if before is None or (before.state, before.reason) != (state, reason):
            self._store.update(upload.id, expect=FINAL, **_settled(state, error))


class EarlyEmails:
    """Tells of the uploads behind one, and knows it when their messages come.

    So a change of the records is shared by up to 16 emails, and so is what looks for webhooks. A
    process that ends before the change sends these again. Where a message comes again, those
    behind it are told each by its own: one that ends its process takes none along twice.
    """

    def __init__(
        self,
        store: UploadStore,
        notifier: Notifier,
        enter_webhooks: Callable[[Sequence[Upload]], None],
    ) -> None:
        self._store = store
        self._notifier = notifier
        self._enter_webhooks = enter_webhooks
        self._told: LRUCache[str, EmailOutcome] = LRUCache(_MOST_TOLD)
        self._alone = 0

    def begin(self, attempt: int) -> None:
        """A message has come, for the so-manieth time."""
        self._alone = _MOST_BEHIND if attempt > 1 else max(self._alone - 1, 0)

    def take(self, upload_id: str) -> EmailOutcome | None:
        """What became of the email, if it was told before its message came."""
        return self._told.pop(upload_id, None)

    def tell_behind(self, upload: Upload) -> None:
        """Tell of those behind this one that are final and not told; whatever fails can wait."""
        if self._alone:
            return
        try:
            behind = self._store.following(upload.sequence, _MOST_BEHIND)
            untold = [each for each in behind if each.state.is_final and each.email is None]
            if untold:
                self._enter_webhooks(untold)
                self._told.update(self._notifier.notify_early(untold))
        except Exception as error:  # noqa: BLE001 - the message of each finds the same
            log.warning("nobody is told early", error=repr(error))


class AccountEmails:
    """Sends the emails about accounts, which `fetch` hands out by their ids: None if there is none.

    A repeat has the same `Message-ID`, and a link that opens, too.
    """

    def __init__(self, fetch: Callable[[str], LinkEmail | None], sender: AccountSender) -> None:
        self._fetch = fetch
        self._sender = sender

    def send(self, email_id: str) -> EmailOutcome:
        """Send the email; returns what became of it.

        REPEATED means that there is nothing to send: the link was used, or is over. Raises
        AuthUnavailable and DeliveryError.
        """
        email = self._fetch(email_id)
        if email is None:
            return EmailOutcome.REPEATED
        self._sender.send(email_id, email)
        log.info("account email sent", kind=email.kind)
        return EmailOutcome.SENT


def _settled(state: EmailState, error: Exception | None = None) -> dict[str, Any]:
    """The changes of a record; its message is here, or has nothing left to say."""
    return {"email": Email(state, now(), _reason(error)), "announced": True}


def _reason(error: Exception | None) -> str | None:
    return None if error is None else visible(str(error), _LONGEST_REASON)
