"""`python -m muster.http.tls_port`: a port with TLS before a port of this pod or machine.

What arrives goes on, decrypted, to the HTTP port, which only this pod need reach. A certificate
that is renewed in its files counts for the next connection; those that are open stay so.
"""

import argparse
import asyncio
import signal
import ssl
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

_CHUNK = 64 * 1024
_LOOK_SECONDS = 5.0
_CONNECT_SECONDS = 5.0
_HANDSHAKE_SECONDS = 10.0
# The server behind ends connections that rest for longer than its own limits.
_MOST_CONNECTIONS = 4096

_Address = tuple[str, int]


class Certificate:
    """A certificate and its key, in PEM files that somebody else renews."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._loaded = self._content()
        self.context.load_cert_chain(*self._files)

    def renew(self) -> bool:
        """Take what the files have now; False where that is not new, or no pair as yet."""
        content = self._content()
        if content == self._loaded:
            return False
        try:
            self.context.load_cert_chain(*self._files)
        except (ssl.SSLError, OSError):
            # One file of the two is still the former one.
            return False
        self._loaded = content
        return True

    def _content(self) -> list[bytes]:
        return [file.read_bytes() for file in self._files]


class TlsPort:
    """Takes connections with TLS, each on to a connection to `target`, byte for byte."""

    def __init__(self, certificate: Certificate, target: _Address) -> None:
        self._certificate = certificate
        self._target = target
        self._open: set[asyncio.Task[None]] = set()

    async def serve(self, address: _Address, stop: asyncio.Event) -> None:
        """Serve at `address` until `stop` is set and every connection has ended."""
        server = await asyncio.start_server(
            self._answer,
            *address,
            ssl=self._certificate.context,
            ssl_handshake_timeout=_HANDSHAKE_SECONDS,
            backlog=1024,
        )
        async with server:
            while not stop.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _LOOK_SECONDS)
                self._renew()
            server.close()
            await asyncio.gather(*self._open, return_exceptions=True)

    def _renew(self) -> None:
        with suppress(OSError):
            if self._certificate.renew():
                print("the certificate was renewed", flush=True)

    async def _answer(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._open) >= _MOST_CONNECTIONS:
            answer.transport.abort()
            return
        self._open.add(task)
        try:
            await self._join(client, answer)
        finally:
            self._open.discard(task)
            answer.close()

    async def _join(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        try:
            connect = asyncio.open_connection(*self._target)
            server, request = await asyncio.wait_for(connect, _CONNECT_SECONDS)
        except (OSError, TimeoutError):
            # As where nobody listens.
            return
        try:
            await _first_of(_copy(client, request), _copy(server, answer))
        finally:
            request.close()


async def _first_of(*copies: Coroutine[Any, Any, None]) -> None:
    """Return when one of them has ended: TLS knows no half of a connection."""
    tasks = [asyncio.ensure_future(each) for each in copies]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await source.read(_CHUNK):
            target.write(chunk)
            await target.drain()


async def _run(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    certificate = Certificate(arguments.certificate, arguments.key)
    await TlsPort(certificate, arguments.to).serve(arguments.listen, stop)


def _address(text: str) -> _Address:
    host, _, port = text.rpartition(":")
    return host, int(port)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m muster.http.tls_port")
    parser.add_argument("--certificate", type=Path, required=True, help="PEM, with its chain")
    parser.add_argument("--key", type=Path, required=True, help="PEM")
    parser.add_argument("--listen", type=_address, required=True, help="as 0.0.0.0:8443")
    parser.add_argument("--to", type=_address, required=True, help="as 127.0.0.1:8080")
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
