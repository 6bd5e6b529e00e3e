"""What the notification service counts and measures, for Prometheus: see docs/metrics.md."""

from prometheus_client import Counter, Histogram

OUTCOMES = ("sent", "refused", "repeated", "put_off", "dead_letter")
MAILS = Counter("muster_mails_total", "Messages by what became of their email.", ("outcome",))
# From 0: a rate over a series that begins at its first event misses that event.
for _outcome in OUTCOMES:
    MAILS.labels(_outcome)
MAIL_WAIT_SECONDS = Histogram(
    "muster_mail_wait_seconds",
    "Seconds from the final state of an upload to its email being taken.",
    buckets=(0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800, 7200, 86400),
)
