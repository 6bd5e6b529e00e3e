"""What the rules of webhooks refuse. `notification/app.py` says which HTTP status each has."""


class WebhookError(Exception):
    """Something can't be done with an endpoint; the message says why, for a person to read."""


class EndpointNotFound(WebhookError):
    """The user has no such endpoint."""

    def __init__(self) -> None:
        super().__init__("There is no such webhook.")


class DeliveryNotFound(WebhookError):
    """The endpoint has no such delivery, or it is no longer kept."""

    def __init__(self) -> None:
        super().__init__("There is no such delivery.")


class TooManyEndpoints(WebhookError):
    """The user has as many endpoints as a user may have."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"You have {limit} webhooks, as many as may be: delete one first.")


class EndpointDisabled(WebhookError):
    """Nothing is sent to an endpoint that is disabled."""

    def __init__(self) -> None:
        super().__init__("The webhook is disabled: enable it first.")


class StillWaiting(WebhookError):
    """A delivery that waits is sent anyway."""

    def __init__(self) -> None:
        super().__init__("The delivery still waits to be sent: it is tried again by itself.")


class TooManyTests(WebhookError):
    """An endpoint was sent so many tests that the next must wait for `seconds`."""

    def __init__(self, limit: int, seconds: int) -> None:
        super().__init__(f"{limit} tests and replays were sent in a minute, as many as may be.")
        self.seconds = seconds


class UnknownCursor(WebhookError):
    """Not a cursor that was given here."""

    def __init__(self) -> None:
        super().__init__("Give the `next` of an earlier page.")
