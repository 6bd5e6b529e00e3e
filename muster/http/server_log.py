"""What gunicorn itself has to say."""

from typing import Any

from gunicorn.glogging import Logger


class ServerLog(Logger):
    """gunicorn's log without its lines for requests: a service writes its own, with more in it.

    By itself gunicorn puts together what such a line needs even if its level leaves it out.
    """

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Write nothing."""
