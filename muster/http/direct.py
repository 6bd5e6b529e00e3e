"""How one service calls another: straight to where it is told, and by TLS where its URL says so."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import certifi
import requests

from muster.adapters import ConfigurationError


@dataclass(frozen=True)
class ServiceUrl:
    """Where a service answers; by `ca_file`, a file of PEM certificates, it proves what it is."""

    base: str
    ca_file: str

    @classmethod
    def parse(cls, url: str) -> "ServiceUrl":
        """Of `http://HOST:PORT/PATH` or `https://HOST:PORT/PATH?ca_file=FILE`.

        Without a file a service is proved by the public authorities. Raises ConfigurationError.
        """
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        file = options.pop("ca_file", None)
        if options or parts.scheme not in {"http", "https"} or not parts.hostname:
            raise _refused(url, "write http://HOST:PORT, or https://HOST:PORT?ca_file=FILE")
        if file is not None and parts.scheme != "https":
            raise _refused(url, "ca_file=FILE is for https://")
        if file is not None and not Path(file).is_file():
            raise _refused(url, f"there is no file {file!r}")
        base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        return cls(base, file or certifi.where())

    def session(self) -> requests.Session:
        """A session for calls to it."""
        session = direct_session()
        session.verify = self.ca_file
        return session


def direct_session() -> requests.Session:
    """A session that obeys no proxy and no .netrc of the environment, as between services."""
    session = requests.Session()
    session.trust_env = False
    return session


def _refused(url: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"The URL of a service can't be {url!r}: {what}.")
