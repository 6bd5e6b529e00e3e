"""Uploads whose clients have left before their records are there."""

import io
import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from muster.http import client as http_client
from muster.http.client import ClientSocket, SlowClients
from muster.http.settings import ServerSettings
from muster.stores import Stores
from tests.unit.gateway.fakes import ANA, CSV, stored_files
from tests.unit.gateway.uploads.test_admission import ROWS, ids


class Pair:
    """Both ends of a connection."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.far = socket.create_connection(listener.getsockname())
            accepted, _ = listener.accept()
        places = SlowClients(ServerSettings())
        self.near = ClientSocket(accepted.family, accepted.detach(), "127.0.0.1", places)
        self.near.begin_request(takes_interim=True)

    def close(self) -> None:
        self.near.close()
        self.far.close()

    def reset(self) -> None:
        self.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.far.close()


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    monkeypatch.setattr(http_client, "_PATIENCE_SECONDS", 0.0)
    with closing(Pair()) as pair:
        yield pair


class Leaving(io.BytesIO):
    """A body at whose end its client leaves."""

    def __init__(self, leave: Any) -> None:
        super().__init__(ROWS)
        self._leave = leave

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if not data or self.tell() == len(ROWS):
            self._leave()
        return data


def post(client: FlaskClient, pair: Pair, leave: Any) -> int:
    answer = client.post(
        "/v1/uploads?table=jobs",
        input_stream=Leaving(leave),
        headers={**ANA, **CSV, "Content-Length": str(len(ROWS))},
        environ_overrides={"gunicorn.socket": pair.near},
    )
    return answer.status_code


@pytest.mark.parametrize("leave", ["reset", "close"])
def test_an_upload_whose_client_has_left_is_not_accepted(
    client: FlaskClient, pair: Pair, stores: Stores, tmp_path: Path, leave: str
) -> None:
    leaves = pair.reset if leave == "reset" else pair.far.close
    assert post(client, pair, leaves) == 400
    assert (ids(stores), stored_files(tmp_path)) == ([], [])


def test_an_upload_whose_client_only_sends_no_more_is_accepted(
    client: FlaskClient, pair: Pair, stores: Stores
) -> None:
    def half_close() -> None:
        pair.far.shutdown(socket.SHUT_WR)

    assert post(client, pair, half_close) == 202
    assert len(ids(stores)) == 1
    assert pair.far.recv(100).startswith(b"HTTP/1.1 100 ")
