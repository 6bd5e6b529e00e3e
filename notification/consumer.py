"""The consumer of the queue `notification`: `python -m notification.consumer`."""

from dataclasses import dataclass
from functools import partial

import structlog

from muster.adapters import exit_if_misconfigured
from muster.backends.dependencies import Afresh, anew
from muster.backends.servers import require_servers
from muster.broker import Ack, DeadLetter, Delivery, Retry, Verdict, open_broker
from muster.broker.messaging import handling
from muster.contracts.messages import UnreadableMessage, UploadFinished
from muster.contracts.uploads import UnreadableRecord
from muster.crashpoints import Point, crash_point
from muster.csvstore import UploadNotFound, open_csv_store
from muster.http.service import serve_health
from muster.mail import MailError, open_mailer
from muster.observability.logs import configure_logging
from muster.observability.spans import export_spans
from muster.observability.tracing import bind_log_fields
from muster.weather import Unavailable
from muster.worker.heartbeat import Heartbeat
from muster.worker.shutdown import on_signal
from notification.metrics import MAILS
from notification.notifying import NotFinal, Notifier
from notification.patience import is_worth_another, wait_after
from notification.settings import Settings

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Handler:
    """Has each message told, and says what is to be done with the message then."""

    notifier: Notifier

    def __call__(self, delivery: Delivery) -> Verdict:
        """Ack, or Retry for what may pass, or DeadLetter for what won't."""
        is_last_try = not is_worth_another(delivery.attempt)
        with handling(delivery):
            crash_point(Point.NOTIFY_MESSAGE_TAKEN)
            try:
                finished = UploadFinished.from_body(delivery.body)
                bind_log_fields(upload_id=finished.upload_id)
                outcome = self.notifier.notify(finished.upload_id, is_last_try=is_last_try)
            except (UnreadableMessage, UploadNotFound) as error:
                return _bury(repr(error))
            except Unavailable as error:
                # Every message meets this alike: no patience is lost over it.
                return _put_off(delivery, error)
            except Exception as error:  # a mistake met by one must not hold up those behind it
                if not isinstance(error, MailError | NotFinal | UnreadableRecord):
                    log.exception("the email failed")
                if is_last_try:
                    return _bury(f"given up after attempt {delivery.attempt}: {error!r}")
                return _put_off(delivery, error)
            MAILS.labels(outcome.value).inc()
            return Ack()


def _put_off(delivery: Delivery, error: Exception) -> Retry:
    wait = wait_after(delivery.attempt).total_seconds()
    log.warning("email put off", attempt=delivery.attempt, seconds=wait, error=repr(error))
    MAILS.labels("put_off").inc()
    return Retry(after=wait)


def _bury(reason: str) -> DeadLetter:
    log.error("message is a dead letter", reason=reason)
    MAILS.labels("dead_letter").inc()
    return DeadLetter(reason)


@exit_if_misconfigured("notification-consumer")
def main() -> None:
    """Consume until SIGTERM or SIGINT."""
    settings = Settings()
    configure_logging("notification-consumer", settings.log_level)
    export_spans("notification-consumer")
    stop, heartbeat = on_signal(), Heartbeat()
    broker, mailer = open_broker(settings.broker_url), open_mailer(settings.smtp_url)
    store = open_csv_store(settings.csv_store_url)
    notifier = Notifier(store, mailer, sender=settings.mail_from, public_url=settings.public_url)
    checks = {
        "broker": broker.check,
        "CSV store": store.check,
        "mail": mailer.check,
    }
    require_servers(checks)
    host, port = settings.health_host, settings.health_port
    ready = {"broker": broker.check}
    afresh = {
        "broker": anew(partial(open_broker, settings.broker_url)),
        "CSV store": anew(partial(open_csv_store, settings.csv_store_url)),
    }
    limit = Afresh(afresh, settings.stuck_seconds)
    serve_health("notification-consumer", host, port, ready, checks, heartbeat.check, limit)
    broker.consume("notification", Handler(notifier), stop=stop, tick=heartbeat.beat)
    broker.close()
    store.close()


if __name__ == "__main__":
    main()
