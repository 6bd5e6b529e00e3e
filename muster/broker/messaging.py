"""Messages on behalf of a request: its id and its trace go with them, in their headers."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from muster.broker import Broker, Delivery, Publication
from muster.contracts.messages import Message
from muster.contracts.uploads import Upload
from muster.observability.spans import span
from muster.observability.tracing import Trace, current_trace, tracing, working_on


def publish(broker: Broker, message: Message, upload: Upload) -> None:
    """Publish `message` about `upload`; raises BrokerUnavailable or Unroutable."""
    broker.publish(*_publication(message, upload))


def publish_each(broker: Broker, messages: Iterable[tuple[Message, Upload]]) -> None:
    """Publish messages, each about an upload; raises BrokerUnavailable or Unroutable."""
    broker.publish_each([_publication(message, upload) for message, upload in messages])


def _publication(message: Message, upload: Upload) -> Publication:
    key = message.routing_key
    attributes = {**_named("send", key), "muster.upload_id": upload.id}
    with working_on(upload), span(f"send {key}", "producer", attributes):
        return Publication(key, message.to_body(), current_trace().headers())


@contextmanager
def handling(delivery: Delivery) -> Iterator[None]:
    """Work on behalf of the request that `delivery` names: in log lines and in the trace."""
    key = delivery.routing_key
    attributes = {**_named("process", key), "muster.attempt": delivery.attempt}
    with (
        tracing(Trace.from_headers(delivery.headers)),
        span(f"process {key}", "consumer", attributes),
    ):
        yield


def _named(operation: str, routing_key: str) -> dict[str, str | int]:
    # https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
    return {
        "messaging.system": "muster",
        "messaging.operation.type": operation,
        "messaging.destination.name": routing_key,
    }
