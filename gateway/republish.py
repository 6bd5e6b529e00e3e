"""`python -m gateway.republish`: publishes again what the broker should have.

For a broker that came back without its data, and for records restored from a backup: their messages
count as published but are lost. A consumer that gets a message again skips what is done.
"""

import sys
from itertools import chain

from gateway.settings import Settings
from muster.broker import Broker, open_broker
from muster.broker.messaging import publish
from muster.contracts.messages import UploadAccepted, UploadFinished
from muster.observability.logs import configure_logging
from muster.settings import read_settings
from muster.uploadstore import UploadStore, open_upload_store
from muster.uploadstore.pages import upload_pages
from muster.weather import Unavailable

_PAGE = 500


def republish(uploads: UploadStore, broker: Broker) -> tuple[int, int]:
    """Publish a message for each upload that is not final, or whose email is not settled.

    Returns how many `upload.accepted` and how many `upload.finished` that were. Raises
    Unavailable; then it may simply be run again.
    """
    accepted = finished = 0
    for upload in chain.from_iterable(upload_pages(uploads, _PAGE)):
        if not upload.state.is_final:
            publish(broker, UploadAccepted.about(upload), upload)
            accepted += 1
        elif upload.email is None or not upload.email.is_settled:
            publish(broker, UploadFinished.about(upload), upload)
            finished += 1
    return accepted, finished


def main() -> None:
    """Publish, and print how many; exits with a status other than 0 if that is not possible."""
    settings = read_settings(Settings, "gateway-republish")
    configure_logging("gateway-republish", settings.log_level)
    uploads, broker = open_upload_store(settings.csv_store_url), open_broker(settings.broker_url)
    try:
        accepted, finished = republish(uploads, broker)
    except Unavailable as error:
        sys.exit(f"Not all is published; run it again. {error!r}")
    finally:
        broker.close()
        uploads.close()
    print(f"published: {accepted} upload.accepted, {finished} upload.finished")


if __name__ == "__main__":
    main()
