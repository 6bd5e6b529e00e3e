"""The channel "webhook": deliveries are entered for the uploader's endpoints, to be sent later."""

from dataclasses import dataclass

from muster.contracts.uploads import Upload
from notification.channels.webhook.deliveries import Deliveries


@dataclass(frozen=True)
class WebhookChannel:
    """Enters deliveries; nothing that an endpoint does is waited for."""

    deliveries: Deliveries

    def enter(self, upload: Upload) -> None:
        """Have the endpoints of the uploader told, once, if the upload is final.

        Raises DatabaseUnavailable.
        """
        if upload.state.is_final:
            self.deliveries.enter_finished(upload.owner, upload.id)
