"""The pages, over a service behind that answers as told."""

import pytest
from flask.testing import FlaskClient


@pytest.fixture
def client(client_with_behind: FlaskClient) -> FlaskClient:
    return client_with_behind
