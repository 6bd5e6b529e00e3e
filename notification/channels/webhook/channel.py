"""The channel "webhook": deliveries are entered for the uploader's endpoints, to be sent later."""

from collections.abc import Iterable
from dataclasses import dataclass

from muster.contracts.uploads import Upload
from notification.channels.webhook.deliveries import Deliveries


@dataclass(frozen=True)
class WebhookChannel:
    """Enters deliveries; nothing that an endpoint does is waited for."""

    deliveries: Deliveries

    def enter(self, uploads: Iterable[Upload]) -> None:
        """Have the endpoints of each uploader told, once, of those uploads that are final.

        Raises DatabaseUnavailable.
        """
        finished: dict[str, list[str]] = {}
        for upload in uploads:
            if upload.state.is_final:
                finished.setdefault(upload.owner, []).append(upload.id)
        for owner, upload_ids in finished.items():
            self.deliveries.enter_finished(owner, *upload_ids)
