"""The consumer of the queue `notification`: `python -m notification.consumer`."""

from muster import startup  # noqa: F401

# isort: split
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

import structlog

from muster.broker import Ack, DeadLetter, Delivery, Retry, Verdict, open_broker
from muster.broker.messaging import handling
from muster.contracts.messages import EmailRequested, UnreadableMessage, UploadFinished
from muster.contracts.uploads import UnreadableRecord, Upload
from muster.database import open_database
from muster.observability.tracing import bind_log_fields
from muster.settings import read_settings
from muster.uploadstore import UploadNotFound, UploadStore, open_upload_store
from muster.weather import Unavailable
from muster.worker.priority import give_way
from muster.worker.process import worker_process
from muster.worker.retry import RetryPolicy
from notification.accounts.choices import AuthChoices
from notification.accounts.links import AuthEmails
from notification.channels import DeliveryError, open_account_sender, open_channel
from notification.channels.webhook.channel import WebhookChannel
from notification.channels.webhook.deliveries import Deliveries
from notification.digests import DigestNotDue, Digests
from notification.notifier import (
    MAILS,
    AccountEmails,
    EarlyEmails,
    EmailOutcome,
    NotFinal,
    Notifier,
)
from notification.settings import Settings

log = structlog.get_logger(__name__)

# A mail server that is down over a weekend loses nothing.
RETRIES = RetryPolicy(timedelta(seconds=1), longest=timedelta(minutes=5), limit=timedelta(days=3))


class Handler:
    """Passes on what each message names; returns what becomes of the message.

    An upload is given to `enter_webhooks` first, so that no email holds up a webhook.
    """

    def __init__(
        self,
        store: UploadStore,
        notifier: Notifier,
        account_emails: AccountEmails,
        enter_webhooks: Callable[[Sequence[Upload]], None],
    ) -> None:
        self._store = store
        self._notifier = notifier
        self._account_emails = account_emails
        self._enter = enter_webhooks
        self._early = EarlyEmails(store, notifier, enter_webhooks)

    def __call__(self, delivery: Delivery) -> Verdict:
        """Ack, or Retry for what may pass, or DeadLetter for what won't."""
        is_last_try = not RETRIES.allows_another(delivery.attempt)
        with handling(delivery):
            try:
                outcome = self._handle(delivery, is_last_try=is_last_try)
            except (UnreadableMessage, UploadNotFound) as error:
                return _bury(repr(error))
            except Unavailable as error:
                # It affects every message alike, so it never makes one a dead letter.
                return _put_off(delivery, error)
            except DigestNotDue as early:
                log.info("email gathered", seconds=early.seconds)
                MAILS.labels("gathered").inc()
                return Retry(after=early.seconds)
            except Exception as error:  # a bug that one message meets must not hold up the rest
                if not isinstance(error, DeliveryError | NotFinal | UnreadableRecord):
                    log.exception("the email failed")
                if is_last_try:
                    return _bury(f"given up after attempt {delivery.attempt}: {error!r}")
                return _put_off(delivery, error)
            MAILS.labels(outcome.value).inc()
            return Ack()

    def _handle(self, delivery: Delivery, *, is_last_try: bool) -> EmailOutcome:
        if delivery.routing_key == EmailRequested.routing_key:
            return self._send_account_email(EmailRequested.from_body(delivery.body))
        finished = UploadFinished.from_body(delivery.body)
        bind_log_fields(upload_id=finished.upload_id)
        self._early.begin(delivery.attempt)
        told = self._early.take(finished.upload_id)
        if told is not None:
            return told
        upload = self._store.get(finished.upload_id)
        failure = self._enter_webhooks(upload)
        outcome = self._notifier.notify(upload, is_last_try=is_last_try)
        if failure is not None:
            raise failure
        self._early.tell_behind(upload)
        return outcome

    def _send_account_email(self, requested: EmailRequested) -> EmailOutcome:
        bind_log_fields(link_id=requested.email_id)
        try:
            return self._account_emails.send(requested.email_id)
        except DeliveryError as error:
            if not error.permanent:
                raise
            log.error("email refused for good", error=str(error))
            return EmailOutcome.REFUSED

    def _enter_webhooks(self, upload: Upload) -> Exception | None:
        """Why they can't be entered now: then the email is sent, and the message comes again."""
        try:
            self._enter([upload])
        except Exception as error:
            if not isinstance(error, Unavailable):
                log.exception("the webhooks are not entered")
            return error
        return None


def _put_off(delivery: Delivery, error: Exception) -> Retry:
    wait = RETRIES.wait_after(delivery.attempt).total_seconds()
    log.warning("email put off", attempt=delivery.attempt, seconds=wait, error=repr(error))
    MAILS.labels("put_off").inc()
    return Retry(after=wait)


def _bury(reason: str) -> DeadLetter:
    log.error("message is a dead letter", reason=reason)
    MAILS.labels("dead_letter").inc()
    return DeadLetter(reason)


def main() -> None:
    """Consume until SIGTERM or SIGINT."""
    settings = read_settings(Settings, "notification-consumer")
    with worker_process("notification-consumer", settings) as worker:
        broker = worker.open("broker", partial(open_broker, settings.broker_url))
        store = worker.open("CSV store", partial(open_upload_store, settings.csv_store_url))
        allowed = settings.allow_multi_primary
        url = settings.notification_database_url
        database = worker.open(
            "notification database", partial(open_database, url, allow_multi_primary=allowed)
        )
        channel = open_channel(settings)
        worker.watch("mail", channel.check)
        worker.serve_health(ready={"broker": broker.check})
        fetch = AuthEmails(settings.auth_url, settings.email_secret)
        account_emails = AccountEmails(fetch, open_account_sender(settings))
        notifier = Notifier(store, channel, AuthChoices(settings.auth_url), Digests(store))
        webhooks = WebhookChannel(Deliveries(database))
        handler = Handler(store, notifier, account_emails, webhooks.enter)
        # Beside the loader, whose uploads people wait for.
        give_way()
        broker.consume("notification", handler, stop=worker.stop, tick=worker.heartbeat.beat)


if __name__ == "__main__":
    main()
