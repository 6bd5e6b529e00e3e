"""The channel "webhook": deliveries are entered for the uploader's endpoints, to be sent later."""

from dataclasses import dataclass

from muster.uploadstore import UploadStore
from notification.channels.webhook.deliveries import Deliveries


@dataclass(frozen=True)
class WebhookChannel:
    """Enters deliveries; nothing that an endpoint does is waited for."""

    store: UploadStore
    deliveries: Deliveries

    def enter(self, upload_id: str) -> None:
        """Have the endpoints of the uploader told, once, if the upload is final.

        Raises UploadNotFound, UnreadableRecord, StoreUnavailable and DatabaseUnavailable.
        """
        upload = self.store.get(upload_id)
        if upload.state.is_final:
            self.deliveries.enter_finished(upload.owner, upload.id)
