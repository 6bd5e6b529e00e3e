"""The probes of a container, asked as a kubelet asks them.

What is a success stands in
https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

import socket
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

from tools.k8s_check.manifests import Json

Execute = Callable[[list[str], float], str]
"""Runs a command in the container, for that many seconds at most; says what went wrong, or ""."""

# More often than a kubelet, which has more to do; what is waited for is as long.
_PERIOD_SECONDS = 1.0


@dataclass(frozen=True)
class Container:
    """A container that runs: what the manifest says of it, and how it is reached."""

    manifest: Json
    address: str
    execute: Execute

    def wait_until_it_passes(self, probe: str) -> str:
        """Ask a probe until it passes, for as long as it may fail; says why it does not, or ""."""
        specification = self.manifest[probe]
        period = specification.get("periodSeconds", 10)
        seconds = specification.get("initialDelaySeconds", 0) + period * specification.get(
            "failureThreshold", 3
        )
        deadline = time.monotonic() + seconds
        while wrong := self.ask(probe):
            if time.monotonic() > deadline:
                return f"its {probe} fails for {seconds} s: {wrong}"
            time.sleep(_PERIOD_SECONDS)
        return ""

    def ask(self, probe: str) -> str:
        """Ask a probe once; says what is wrong, or ""."""
        specification = self.manifest[probe]
        timeout = float(specification.get("timeoutSeconds", 1))
        match specification:
            case {"httpGet": request}:
                return self._get(request, timeout)
            case {"tcpSocket": {"port": port}}:
                return self._connect(port, timeout)
            case {"exec": {"command": command}}:
                return self.execute(command, timeout)
        return f"this check does not know how to ask {specification}"

    def _get(self, request: Json, timeout: float) -> str:
        with closing(HTTPConnection(self.address, self._port(request["port"]), timeout)) as asked:
            try:
                asked.request("GET", request.get("path", "/"))
                answer = asked.getresponse()
                said = answer.read().decode("utf-8", "replace")
            except (OSError, HTTPException) as error:
                return repr(error)
            return "" if 200 <= answer.status < 400 else f"{answer.status} {said}"

    def _connect(self, port: int | str, timeout: float) -> str:
        try:
            socket.create_connection((self.address, self._port(port)), timeout).close()
        except OSError as error:
            return repr(error)
        return ""

    def _port(self, port: int | str) -> int:
        named = {each.get("name"): each["containerPort"] for each in self.manifest.get("ports", [])}
        return port if isinstance(port, int) else int(named[port])
