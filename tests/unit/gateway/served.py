"""The gateway as gunicorn serves it, over a file store and without a broker to speak of.

`gunicorn -c python:muster.serving "tests.unit.gateway.served:create()"`.
"""

from flask_openapi.openapi import OpenAPI

from gateway.app import build_app
from gateway.settings import Settings
from muster.stores import open_stores
from tests.unit.gateway.fakes import FakeBroker, WordTokens


def create() -> OpenAPI:
    settings = Settings()
    stores = open_stores(settings.csv_store_url, places=settings.store_places)
    return build_app(settings, stores, FakeBroker(), WordTokens())
