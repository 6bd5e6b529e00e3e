"""Which proxy is trusted to say where a caller is: the gateway, and no other."""

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING

import structlog
from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = structlog.get_logger(__name__)

Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


def parse_networks(text: str) -> Networks:
    """The networks in a comma-separated list; raises ValueError."""
    return tuple(ipaddress.ip_network(each.strip()) for each in text.split(",") if each.strip())


class TrustedProxies:
    """WSGI middleware: the last of `X-Forwarded-For` is the caller's address, from a gateway."""

    def __init__(self, app: "WSGIApplication", gateways: Networks) -> None:
        self._app = app
        self._forwarded = ProxyFix(app, x_for=1, x_proto=0)
        self._gateways = gateways
        self._has_warned = False

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a request."""
        if self._is_gateway(environ.get("REMOTE_ADDR", "")):
            return self._forwarded(environ, start_response)
        if "HTTP_X_FORWARDED_FOR" in environ and not self._has_warned:
            self._has_warned = True
            log.warning(
                "X-Forwarded-For from outside MUSTER_GATEWAY_NETWORKS is not believed",
                address=environ.get("REMOTE_ADDR"),
            )
        return self._app(environ, start_response)

    def _is_gateway(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
        return any((mapped or ip) in network for network in self._gateways)
