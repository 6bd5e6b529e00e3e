"""Access tokens: EdDSA-signed JWTs (RFC 7519, RFC 8037), checked with auth's public keys."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, wraps
from threading import Lock
from typing import Any, ParamSpec, Protocol, TypeVar

import jwt
import requests
from cachetools import TLRUCache
from flask import Flask, current_app, g, request

from muster.backends.signing_key import ALGORITHM
from muster.http.client import name_owner
from muster.http.direct import ServiceUrl
from muster.http.problems import Problem, unavailable
from muster.http.service import provide, provided
from muster.observability.tracing import bind_log_fields

PERMISSIONS = (
    "uploads:write",
    "uploads:read",
    "uploads:undo",
    "uploads:admin",
    "rows:write",
    "rows:erase",
    "queries:read",
    "users:admin",
)
ISSUER = "muster-auth"
AUDIENCE = "muster"
_KEYS_TIMEOUT = 5.0
_KEYS_REST = 5.0
RECENT_SECONDS = 30.0
_MOST_RECENT = 4096

P = ParamSpec("P")
R = TypeVar("R")


class InvalidToken(Exception):
    """The token is malformed, forged, expired or not for this suite."""


class KeysUnavailable(Exception):
    """Auth's public keys are not available, so no token can be checked."""


@dataclass(frozen=True)
class Principal:
    """Who asks, and by which token.

    `generation` is raised by auth whenever the user's older tokens end. `token_id` is the token's
    `jti`, `expires_at` its end in seconds since 1970. A token `by_key` was exchanged for an access
    key, whose id is its `token_id`: all tokens of a key end together.
    """

    id: str
    email: str
    permissions: frozenset[str]
    generation: int
    token_id: str
    expires_at: int
    by_key: bool = False

    def may(self, *permissions: str) -> bool:
        """Whether the user has one of `permissions`."""
        return not self.permissions.isdisjoint(permissions)


class Tokens(Protocol):
    """What checks tokens."""

    def verify(self, token: str) -> Principal:
        """Who the token stands for; raises InvalidToken or KeysUnavailable."""

    def end(self, principal: Principal) -> None:
        """Refuse the token of `principal` from now on: auth has ended it."""

    def check(self) -> None:
        """Return if auth's public keys are available; raises KeysUnavailable."""


class _Keys(jwt.PyJWKClient):
    """Keeps its keys while auth is down, and asks again after a pause."""

    def __init__(self, auth: ServiceUrl) -> None:
        url = f"{auth.base}/.well-known/jwks.json"
        super().__init__(url, timeout=_KEYS_TIMEOUT, cooldown_duration=_KEYS_REST)
        self._auth = auth
        self._kept: jwt.PyJWKSet | None = None
        self._rests_until = 0.0

    def get_jwk_set(self, refresh: bool = False) -> jwt.PyJWKSet:
        """The keys; raises PyJWKClientConnectionError while there are none."""
        if self._kept is not None and not refresh and time.monotonic() < self._rests_until:
            return self._kept
        try:
            self._kept = super().get_jwk_set(refresh)
        except jwt.PyJWKClientConnectionError:
            if self._kept is None or refresh:
                raise
            self._rests_until = time.monotonic() + _KEYS_REST
        return self._kept

    def fetch_data(self) -> Any:
        # The library would send this through a proxy named in the environment.
        with self._auth.session() as session:
            try:
                answer = session.get(self.uri, timeout=self.timeout)
                answer.raise_for_status()
                keys = answer.json()
            except requests.RequestException as error:
                raise jwt.PyJWKClientConnectionError(str(error)) from error
        if self.jwk_set_cache is not None:
            self.jwk_set_cache.put(keys)
        return keys


def recent_tokens(clock: Callable[[], float] = time.time) -> "TLRUCache[str, Principal]":
    """Tokens whose signature was checked a moment ago; whether one is revoked this can't tell.

    A look-up costs a hundredth of what checking the signature does. No token is kept beyond its
    expiry, nor longer than RECENT_SECONDS: then a key that auth has withdrawn no longer counts.
    """
    return TLRUCache(
        _MOST_RECENT,
        ttu=lambda _token, principal, now: min(principal.expires_at, now + RECENT_SECONDS),
        timer=clock,
    )


class TokenVerifier:
    """Checks tokens with the keys that auth publishes, fetched at first need and kept 5 minutes."""

    def __init__(self, auth_url: str) -> None:
        self._keys = _Keys(ServiceUrl.parse(auth_url))
        self._recent = recent_tokens()
        self._lock = Lock()

    def verify(self, token: str) -> Principal:
        """Who the token stands for; raises InvalidToken or KeysUnavailable."""
        with self._lock:
            principal = self._recent.get(token)
        if principal is None:
            principal = self._verify(token)
            with self._lock:
                self._recent[token] = principal
        return principal

    def check(self) -> None:
        """Return if the keys can be had, or were; raises KeysUnavailable."""
        try:
            self._keys.get_signing_keys()
        except (jwt.PyJWTError, ValueError) as error:
            raise KeysUnavailable(str(error)) from error

    def _verify(self, token: str) -> Principal:
        try:
            key = self._keys.get_signing_key_from_jwt(token)
        except jwt.PyJWKClientConnectionError as error:
            raise KeysUnavailable from error
        except (jwt.PyJWTError, ValueError) as error:
            raise InvalidToken(str(error)) from error
        return principal_of(token, key)


def principal_of(token: str, key: Any) -> Principal:
    """Who a token signed by `key` stands for; raises InvalidToken."""
    return _principal_of(_claims_of(token, key))


def _claims_of(token: str, key: Any) -> Mapping[str, Any]:
    try:
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            options={
                "require": ["exp", "iat", "iss", "aud", "sub", "jti"],
                # It only tells the token's age (RFC 7519, section 4.1.6). Compared with a clock
                # that is a second behind auth's, every fresh token would be refused.
                "verify_iat": False,
            },
        )
    except jwt.PyJWTError as error:
        raise InvalidToken(str(error)) from error
    return claims


def _principal_of(claims: Mapping[str, Any]) -> Principal:
    try:
        return Principal(
            id=claims["sub"],
            email=claims["email"],
            permissions=frozenset(claims["permissions"]),
            generation=claims["generation"],
            token_id=claims["jti"],
            expires_at=claims["exp"],
            by_key=claims.get("by_key", False) is not False,
        )
    except (KeyError, TypeError) as error:
        raise InvalidToken(str(error)) from error


@dataclass(frozen=True)
class _Authentication:
    verify: Callable[[str], Principal]


def authenticate_with(app: Flask, verify: Callable[[str], Principal]) -> None:
    """Have `verify` check the tokens of requests to `app`; it raises as `Tokens.verify` does."""
    provide(app, _Authentication(verify))


def authenticate() -> Principal:
    """The principal of this request's bearer token (RFC 6750), kept in `g.principal`.

    Raises Problem 401 or 503.
    """
    token = bearer_token()
    if not token:
        raise unauthorized("Send the header Authorization: Bearer TOKEN, from POST /v1/login.")
    try:
        principal = provided(current_app, _Authentication).verify(token)
    except InvalidToken:
        raise unauthorized("The token is not valid or no longer; log in again.") from None
    except KeysUnavailable:
        raise unavailable("The auth service") from None
    g.principal = principal
    name_owner(request.environ, principal.id)
    bind_log_fields(user=principal.id)
    return principal


def validity_of_token() -> Callable[[], bool]:
    """What says whether this request's token is still valid, also after the request's context.

    If that can't be known it is not: a long answer is then refused as a new request would be. Where
    the token stands in for something that lives longer, `g.verify_again` asks about that.
    """
    verify_again = g.get("verify_again") or partial(
        provided(current_app, _Authentication).verify, bearer_token()
    )

    def is_valid() -> bool:
        try:
            verify_again()
        except (InvalidToken, KeysUnavailable, Problem):
            return False
        return True

    return is_valid


def bearer_token() -> str:
    """The bearer token of this request; empty without one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def unauthorized(detail: str, challenge: str = 'Bearer realm="muster"') -> Problem:
    """401 with its challenge (RFC 9110, section 11.6.1)."""
    return Problem("unauthorized", detail, headers={"WWW-Authenticate": challenge})


def requires(*permissions: str, by_key: bool = True) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Only run the view for a valid token with one of `permissions`; with none, for any token.

    Without `by_key`, not for one that was exchanged for an access key. The body is not touched
    before. Raises Problem 401, 403 or 503.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            principal = authenticate()
            if principal.by_key and not by_key:
                raise Problem(
                    "not-by-key",
                    "An access key makes and changes no keys, users, webhooks or passwords: use a "
                    "token from POST /v1/login.",
                )
            if permissions and not principal.may(*permissions):
                raise Problem(
                    "forbidden",
                    f"This needs the permission {' or '.join(permissions)}.",
                )
            return view(*args, **kwargs)

        return guarded

    return decorate
