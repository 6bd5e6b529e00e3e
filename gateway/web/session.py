"""The session of a browser: a cookie that holds the access token.

The cookie is another way to send the token, so that pages, downloads and the scripts of the page
use one set of rules. It is HttpOnly, so no script can read it, and SameSite=Strict. A browser sends
it by itself, so a request that changes something must also be seen to come from our own pages.
"""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from flask import Flask, Request, Response, current_app, request

from muster.http.problems import Problem
from muster.http.service import provide, provided

COOKIE = "muster_session"
# Browsers take one of such a name over HTTPS only, and from no other host of the domain:
# https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#name-the-__host-prefix
HOST_COOKIE = f"__Host-{COOKIE}"
_TOKEN = re.compile(r"[!-~]+")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class HostCookie:
    """A cookie for this host alone; `secure` where users reach the app over HTTPS."""

    plain_name: str
    secure: bool

    @property
    def name(self) -> str:
        """What it is called."""
        return f"__Host-{self.plain_name}" if self.secure else self.plain_name

    def set(self, response: Response, value: str, seconds: int) -> None:
        """Have the browser keep `value` for so long."""
        response.set_cookie(
            self.name,
            value,
            max_age=seconds,
            httponly=True,
            samesite="Strict",
            secure=self._is_secure(),
        )

    def delete(self, response: Response) -> None:
        """Have the browser forget it."""
        response.delete_cookie(
            self.name, httponly=True, samesite="Strict", secure=self._is_secure()
        )

    def _is_secure(self) -> bool:
        return request.is_secure or self.secure


def session_cookie() -> HostCookie:
    """That of the app that answers this request."""
    return provided(current_app, HostCookie)


def install_session(app: Flask, *, secure: bool) -> None:
    """Have `app` take the token of a request without an Authorization header from its cookie.

    With `secure`, where users reach it over HTTPS, the cookie comes over nothing else, and every
    answer tells browsers to ask over nothing else.
    A request with the cookie that changes something is answered 403 if another site may have made
    the browser send it.
    """
    provide(app, HostCookie(COOKIE, secure))
    app.before_request(_take_token_from_cookie)
    if secure:
        app.after_request(_insist_on_https)


def _insist_on_https(response: Response) -> Response:
    # RFC 6797: for a year, browsers ask this host and those below it by HTTPS alone.
    response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    return response


def refuse_other_sites() -> None:
    """Raises Problem 403 if the request changes something and another site may have sent it.

    Browsers say where a request comes from (https://www.w3.org/TR/fetch-metadata/), or at least
    its origin where the page was not fetched securely.
    """
    if request.method not in _SAFE_METHODS and not _is_from_here(request):
        detail = "This came from another site. Open the page here, and do it again."
        raise Problem("cross-site", detail)


def _take_token_from_cookie() -> None:
    if "Authorization" in request.headers:
        return
    token = request.cookies.get(session_cookie().name, "")
    if not _TOKEN.fullmatch(token):
        return
    refuse_other_sites()
    # Whatever reads the token, here or in the service that a request is forwarded to, finds it
    # where a program would have put it.
    request.environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"


def _is_from_here(request: Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    return split_url(request.headers.get("Origin")).netloc == request.host


def split_url(text: str | None) -> SplitResult:
    """The parts of a URL that a browser sent; those of no URL are empty."""
    try:
        return urlsplit(text or "")
    except ValueError:
        return urlsplit("")
