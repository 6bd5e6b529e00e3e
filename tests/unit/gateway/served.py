"""The gateway as gunicorn serves it, over a file store and without a broker to speak of.

`gunicorn -c python:muster.serving "tests.unit.gateway.served:create()"`.
"""

from flask_openapi.openapi import OpenAPI

from gateway.app import build_app
from gateway.settings import Settings
from muster.csvstore import open_csv_store
from tests.unit.gateway.fakes import FakeBroker, WordTokens


def create() -> OpenAPI:
    settings = Settings()
    store = open_csv_store(settings.csv_store_url, settings.store_places)
    return build_app(settings, store, FakeBroker(), WordTokens())
