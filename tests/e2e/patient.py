"""A user who asks again where the suite answers 503, as each 503 says to, or was just killed."""

import time
from typing import Any

import requests

from embedded.client import Client
from embedded.suite_process import SuiteProcess
from tests.e2e.conftest import ADMIN

_ATTEMPTS = 60


class PatientClient(Client):
    """What was refused so was not done. Raises requests.HTTPError on any other refusal.

    Where there was no answer, only what may be done twice is asked again.
    """

    def _call(self, method: str, path: str, **options: Any) -> requests.Response:
        for _ in range(_ATTEMPTS):
            try:
                return super()._call(method, path, **options)
            except requests.HTTPError as error:
                if error.response.status_code != requests.codes.unavailable:
                    raise
                print(f"{method} {path}: {error.response.text}")
            except requests.ConnectionError as error:
                if method != "GET" and path != "/v1/login":
                    raise
                print(f"{method} {path}: {error}")
            time.sleep(1)
        raise TimeoutError(f"{method} {path} was refused {_ATTEMPTS} times")


def admin_of(suite: SuiteProcess) -> PatientClient:
    """The first administrator, logged in."""
    return PatientClient(suite.url, ADMIN, suite.admin_password())
