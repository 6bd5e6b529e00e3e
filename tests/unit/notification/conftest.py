from collections.abc import Iterator
from pathlib import Path

import pytest

from notification.notifying import Notifier
from tests.unit.notification.post import FakeMailer, UnsteadyStore
from tests.unit.notification.stories import PUBLIC_URL, SENDER


@pytest.fixture
def store(tmp_path: Path) -> Iterator[UnsteadyStore]:
    store = UnsteadyStore(f"file://{tmp_path}/store")
    yield store
    store.close()


@pytest.fixture
def mailer() -> FakeMailer:
    return FakeMailer()


@pytest.fixture
def notifier(store: UnsteadyStore, mailer: FakeMailer) -> Notifier:
    return Notifier(store, mailer, sender=SENDER, public_url=PUBLIC_URL)
