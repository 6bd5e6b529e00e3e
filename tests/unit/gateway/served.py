"""The gateway as gunicorn serves it, over a file store and without a broker to speak of.

`gunicorn -c python:muster.serving "tests.unit.gateway.served:create()"`.

Where it waits for clients that are left it does so for long, so that a test which waits for less
sees whether it waited, however slow the machine is.
"""

from functools import partial

from flask_openapi.openapi import OpenAPI
from gunicorn import util

from gateway import draining
from gateway.app import build_app
from gateway.settings import Settings
from muster.csvstore import open_csv_store
from tests.unit.gateway.fakes import FakeBroker, WordTokens

_LONG_SECONDS = 600.0


def create() -> OpenAPI:
    draining._DRAIN_SECONDS = _LONG_SECONDS
    util.close_graceful = partial(util.close_graceful, timeout=_LONG_SECONDS)
    settings = Settings()
    store = open_csv_store(settings.csv_store_url)
    return build_app(settings, store, FakeBroker(), WordTokens())
