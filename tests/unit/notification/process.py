"""The consumer as a process of its own, on the embedded default, and an upload to tell about."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from muster.broker import open_broker
from muster.contracts.messages import UploadFinished
from muster.database import open_database
from muster.uploadstore import open_upload_store
from notification.migrations import migrate
from tests.unit.gateway.behind import serve_behind
from tests.unit.notification import stories


@contextmanager
def running_consumer(home: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A consumer whose log goes to the file `log` in `home`; killed at the end, if it still runs.

    `variables` are named without MUSTER_.
    """
    with closing(open_database(f"sqlite:///{home}/notification.db")) as database:
        migrate(database)
    environment = {f"MUSTER_{name}": value for name, value in variables.items()}
    command = [sys.executable, "-m", "notification.consumer"]
    with (
        (home / "log").open("ab") as log,
        serve_behind() as auth,
        subprocess.Popen(
            command,
            env={
                **os.environ,
                "MUSTER_HOME": str(home),
                "MUSTER_AUTH_URL": auth.url,
                **environment,
            },
            stderr=log,
        ) as process,
    ):
        auth.body = b'{"emails": "each"}'
        yield process
        process.kill()


def finish_upload(home: Path, **fields: Any) -> str:
    """Accept an upload, with `fields` of its own, and tell that it is final; returns its id."""
    with (
        closing(open_upload_store(f"file://{home}/store")) as store,
        closing(open_broker(f"sqlite:///{home}/broker.db")) as broker,
    ):
        upload = store.accept(replace(stories.WITH_REJECTS, **fields))
        message = UploadFinished(upload.id, upload.table, upload.state, upload.submitted_by, "")
        broker.publish(message.routing_key, message.to_body(), stories.TRACE.headers())
        return upload.id
