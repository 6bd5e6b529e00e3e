"""How files reach S3: which bucket a URL names, how long calls may take, who may wait.

`s3://[KEY:SECRET@]BUCKET[/PREFIX][?option=value…]`. Without a key, credentials are looked for where
AWS's own tools look: in variables, files, and the role of the pod or the machine.
"""

import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import botocore.session
from botocore import exceptions
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from urllib3.exceptions import HTTPError

from muster import weather
from muster.adapters import ConfigurationError
from muster.backends.shared import Shared
from muster.weather import StoreUnavailable

_FORM = "s3://[KEY:SECRET@]BUCKET[/PREFIX][?endpoint=https://HOST:PORT&region=REGION]"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_OPTIONS = ("addressing", "answer_seconds", "ca_file", "connect_seconds", "endpoint", "region")
# The second is for what passes at once: a connection that the server had given up, a server that
# asks to slow down. Whoever waits longer than that says for what.
_ATTEMPTS = 2
_CONNECTIONS = 64
_AWAY = (exceptions.ConnectionError, exceptions.HTTPClientError)


@dataclass(frozen=True)
class S3Location:
    """What a URL says; `key` and `secret` are None where it names none."""

    bucket: str
    prefix: str
    key: str | None = field(repr=False)
    secret: str | None = field(repr=False)
    endpoint: str | None = None
    region: str | None = None
    addressing: str | None = None
    ca_file: str | None = None
    connect_seconds: int = 5
    answer_seconds: int = 15

    def __str__(self) -> str:
        where = f" at {self.endpoint}" if self.endpoint else ""
        return f"the S3 bucket {self.bucket}{where}"


def parse(url: str) -> S3Location:
    """What `url` says; raises ConfigurationError, which shows neither key nor secret."""
    try:
        parts = urlsplit(url)
        port = parts.port
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        key, secret = _credentials(parts)
        prefix = unquote(parts.path, "utf-8", "strict").strip("/")
    except ValueError:
        # Without its cause, which may show the secret.
        raise _refused("it can't be read; special characters are written as %XX") from None
    if port is not None or parts.fragment or not _BUCKET.fullmatch(parts.hostname or ""):
        raise _refused(
            "it must name a bucket, and the server, if it is not AWS, as its option endpoint; "
            "/ # ? and @ in key and secret are written as %XX"
        )
    if bool(key) != bool(secret):
        raise _refused("it names half of a key")
    options = _options(query)
    return S3Location(parts.hostname or "", prefix and f"{prefix}/", key, secret, **options)


def _credentials(parts: SplitResult) -> tuple[str | None, str | None]:
    key, secret = (unquote(it or "", "utf-8", "strict") for it in (parts.username, parts.password))
    return key or None, secret or None


def _options(query: list[tuple[str, str]]) -> Mapping[str, Any]:
    options: dict[str, str | int] = {}
    for name, value in query:
        if name not in _OPTIONS:
            raise _refused(f"it has no option {name!r}; known are {', '.join(_OPTIONS)}")
        if name in options:
            raise _refused(f"it has the option {name} twice")
        if not name.endswith("_seconds"):
            options[name] = value
        elif value.isascii() and value.isdigit() and 0 < int(value) <= 3600:
            options[name] = int(value)
        else:
            raise _refused(f"its option {name} must be a number from 1 to 3600")
    if options.get("ca_file") == "":
        raise _refused("its option ca_file names no file")
    if options.get("addressing", "path") not in {"path", "virtual"}:
        raise _refused("its option addressing must be path or virtual")
    if not _is_address(str(options.get("endpoint", "http://localhost"))):
        raise _refused("its option endpoint must be http:// or https:// with HOST or HOST:PORT")
    return options


def _is_address(endpoint: str) -> bool:
    try:
        parts = urlsplit(endpoint)
        has_host = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        return False
    bare = not (parts.path.strip("/") or parts.query or parts.fragment)
    return parts.scheme in {"http", "https"} and has_host and bare


def _refused(reason: str) -> ConfigurationError:
    return ConfigurationError(f"The file store URL can't be used: {reason}. Write {_FORM}.")


class S3Bucket:
    """The bucket and the prefix that `url` names; connects at first use.

    Each call takes a place of `shared`. Raises ConfigurationError, without the URL's secret.
    """

    def __init__(self, url: str, shared: Shared) -> None:
        self.location = parse(url)
        self._shared = shared
        self._client: Any = None
        self._connecting = threading.Lock()
        # Reentrant, for calls within a call.
        self._trying = threading.RLock()
        self._is_away = False

    def of(self, name: str) -> dict[str, str]:
        """The arguments of a call that name the object `name`."""
        return {"Bucket": self.location.bucket, "Key": self.location.prefix + name}

    @contextmanager
    def using(self) -> Iterator[Any]:
        """botocore's client; raises StoreUnavailable for what the driver raises in the block.

        Except for what lies in the call itself. While the server is known to be away, one thread at
        a time tries to reach it, and all others are told so at once.
        """
        with self._shared.place(str(self.location)), self._trial():
            try:
                yield self._connect()
            except ClientError as error:
                self._is_away = False
                if code_of(error) in weather.S3_MISTAKES:
                    raise
                raise StoreUnavailable(f"{self.location}: {error}") from error
            except ParamValidationError:
                raise
            except (BotoCoreError, HTTPError) as error:
                self._is_away = isinstance(error, _AWAY)
                raise StoreUnavailable(f"{self.location}: {error}") from error
            self._is_away = False

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()

    @contextmanager
    def _trial(self) -> Iterator[None]:
        """The right to try to reach a server that is away; raises StoreUnavailable."""
        if not self._is_away:
            yield
            return
        if not self._trying.acquire(blocking=False):
            raise StoreUnavailable(f"{self.location}: it is away")
        try:
            yield
        finally:
            self._trying.release()

    def _connect(self) -> Any:
        # A session may not be used by several threads at once; a client may.
        with self._connecting:
            if self._client is None:
                self._client = self._new_client()
            return self._client

    def _new_client(self) -> Any:
        location = self.location
        session = botocore.session.Session()
        region = location.region or os.environ.get("AWS_REGION")
        # Without an endpoint it is AWS, which is leaving paths.
        default = "path" if location.endpoint else "auto"
        region = region or session.get_config_variable("region") or "us-east-1"
        return session.create_client(
            "s3",
            region_name=region,
            endpoint_url=location.endpoint,
            aws_access_key_id=location.key,
            aws_secret_access_key=location.secret,
            verify=location.ca_file,
            config=Config(
                connect_timeout=location.connect_seconds,
                read_timeout=location.answer_seconds,
                retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                max_pool_connections=_CONNECTIONS,
                s3={"addressing_style": location.addressing or default},
                # Not every server knows those that are newer than Content-MD5.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                user_agent_extra="muster",
            ),
        )


def code_of(error: ClientError) -> str:
    """What S3 calls the error: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.

    The HTTP status, as text, where the answer has no body.
    """
    return str(error.response.get("Error", {}).get("Code", ""))
