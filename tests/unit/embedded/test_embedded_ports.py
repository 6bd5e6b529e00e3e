import socket
import threading

import pytest
import requests
from flask import Flask
from werkzeug.serving import make_server

from embedded import ports
from embedded.errors import StartError


def test_a_port_in_use_is_told_in_one_line_that_names_it() -> None:
    with ports.listen(0) as taken:
        port = ports.port_of(taken)
        with pytest.raises(StartError, match=rf"^Port {port} is in use: set MUSTER_PORT[^\n]*$"):
            ports.listen(port)


def test_a_reserved_port_can_be_served_by_a_server_that_reuses_addresses() -> None:
    with ports.reserve() as reservation:
        server = make_server("0.0.0.0", ports.port_of(reservation), Flask("health"))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(f"http://127.0.0.1:{ports.port_of(reservation)}/", timeout=60)
        server.shutdown()
        thread.join()
        server.server_close()
    assert answer.status_code == 404


def test_a_reserved_port_is_not_to_be_had_by_others() -> None:
    with (
        ports.reserve() as reservation,
        socket.socket() as other,
        pytest.raises(OSError, match="in use"),
    ):
        other.bind(("127.0.0.1", ports.port_of(reservation)))


def test_a_caller_is_kept_waiting_while_nobody_accepts() -> None:
    with (
        ports.listen(0) as listener,
        socket.create_connection(("127.0.0.1", ports.port_of(listener)), timeout=60) as caller,
    ):
        caller.sendall(b"hello")
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(5) == b"hello"
