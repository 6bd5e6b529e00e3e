"""The Python client of Muster: `MusterClient`, what it returns, and what it raises.

    from muster_client import MusterClient

    with MusterClient.log_in("https://muster.example.com", email, password) as muster:
        upload = muster.wait(muster.upload("hired_employees.csv").id)
        print(upload.state, upload.rows)

Every call is repeated while the connection or the suite fails, without ever loading twice: each
upload has an idempotency key. See `MusterClient`.
"""

from muster_client.client import MusterClient, UploadOptions
from muster_client.errors import MusterError, NotMuster, Refused, TableNotKnown, Unreachable
from muster_client.models import (
    AccessKey,
    Cause,
    Delivery,
    Failure,
    Invitation,
    Me,
    Page,
    Table,
    Upload,
    User,
    Webhook,
)
from muster_client.transport import RetryPolicy

__all__ = [
    "AccessKey",
    "Cause",
    "Delivery",
    "Failure",
    "Invitation",
    "Me",
    "MusterClient",
    "MusterError",
    "NotMuster",
    "Page",
    "Refused",
    "RetryPolicy",
    "Table",
    "TableNotKnown",
    "Unreachable",
    "Upload",
    "UploadOptions",
    "User",
    "Webhook",
]
