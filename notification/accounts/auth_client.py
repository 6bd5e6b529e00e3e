"""What this service asks of auth, over HTTP."""

from collections.abc import Mapping

import requests

from muster.http.direct import ServiceUrl
from muster.observability.tracing import current_trace
from muster.weather import Unavailable

_CONNECT_SECONDS, _ANSWER_SECONDS = 1, 10


class AuthUnavailable(Unavailable):
    """Auth does not say now what it is asked."""

    awaits = "auth"


class AuthClient:
    """Calls the auth service at `url`; no call follows a redirect."""

    def __init__(self, url: str) -> None:
        auth = ServiceUrl.parse(url)
        self._base, self._session = auth.base, auth.session()

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> bytes | None:
        """The body of the answer; None if there is no such thing. Raises AuthUnavailable."""
        try:
            answer = self._session.request(
                method,
                f"{self._base}{path}",
                headers={**current_trace().headers(), **(headers or {})},
                timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS),
                allow_redirects=False,
            )
            if answer.status_code == requests.codes.not_found:
                return None
            answer.raise_for_status()
        except requests.RequestException as error:
            raise AuthUnavailable(f"auth does not answer: {error}") from error
        return answer.content
