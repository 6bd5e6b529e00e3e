"""What answers are compared with: a route that does nothing, served as the services are."""

from pathlib import Path

import requests

from bench.bare import serving


def test_it_answers_with_the_given_bytes(tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"[1, 2]\n")
    with serving(body) as url:
        assert requests.get(url, timeout=10).content == b"[1, 2]\n"
