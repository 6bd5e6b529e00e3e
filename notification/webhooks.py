"""The process that sends webhooks: `python -m notification.webhooks`.

It is apart from the consumer, which sends emails: whatever an endpoint does holds up none of those,
and of the two only this one may call any host on the network, without the password of the mail.
"""

from muster import startup  # noqa: F401

# isort: split
import ssl
from functools import partial

from muster.database import open_database
from muster.settings import read_settings
from muster.uploadstore import open_upload_store
from muster.worker.process import worker_process
from notification.channels.webhook.addresses import AddressPolicy, Resolver
from notification.channels.webhook.deliveries import Deliveries
from notification.channels.webhook.queue import DeliveryQueue
from notification.channels.webhook.schema import check_schema
from notification.channels.webhook.sealing import SecretBox
from notification.channels.webhook.sender import PLACES, Courier, Sender
from notification.channels.webhook.transport import Caller
from notification.settings import Settings, parse_networks


def main() -> None:
    """Send until SIGTERM or SIGINT."""
    settings = read_settings(Settings, "notification-webhooks")
    with worker_process("notification-webhooks", settings) as worker:
        allowed = settings.allow_multi_primary
        url = settings.notification_database_url
        database = worker.open(
            "notification database",
            partial(open_database, url, allow_multi_primary=allowed),
        )
        store = worker.open("CSV store", partial(open_upload_store, settings.csv_store_url))
        box = SecretBox.from_file(settings.webhook_keys)
        policy = AddressPolicy(
            parse_networks(settings.webhook_allow), parse_networks(settings.webhook_forbid)
        )
        caller = Caller(policy, Resolver(PLACES), ssl.create_default_context())
        courier = Courier(store, box, caller, settings.public_url)
        sender = Sender(DeliveryQueue(database), Deliveries(database), courier)
        worker.serve_health(ready={"notification database": partial(check_schema, database)})
        sender.run(worker.stop, worker.heartbeat.beat)


if __name__ == "__main__":
    main()
