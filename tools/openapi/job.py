"""Does the whole job by the client that openapi-python-client generates, against a running suite.

For the Python that the client is installed in: `python job.py URL EMAIL PASSWORD SAMPLES`. Each
step says what came of it; a step that goes wrong ends it.
"""

import sys
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from muster_api import AuthenticatedClient, Client
from muster_api.api.access_keys import add_key
from muster_api.api.accounts import log_in, who_am_i
from muster_api.api.queries import departments_above_mean, hires_by_quarter
from muster_api.api.tables import check_rows, read_rows, write_rows
from muster_api.api.uploads import accept_upload, get_rejects, preview_upload, undo_upload
from muster_api.api.webhooks import add_webhook
from muster_api.models import (
    AcceptUploadFilesBody,
    JobsRow,
    NewAccessKey,
    NewAccessKeyPermissionsItem,
    NewJobsRow,
    NewWebhook,
    PreviewUploadFilesBody,
    TableName,
)
from muster_api.types import File

FILES = ("departments.csv", "jobs.csv", "hired_employees.csv")


def main(url: str, email: str, password: str, samples: str) -> None:
    """Do each step, with the generated client alone."""
    basic: Any = Client(base_url=url, httpx_args={"auth": (email, password)})
    token = log_in.sync(client=basic)
    client: Any = AuthenticatedClient(base_url=url, token=token.access_token, timeout=90.0)
    say("logged in", token.token_type)

    last: Any = None
    for name in FILES:
        content = (Path(samples) / name).read_bytes()
        head = PreviewUploadFilesBody(file=file_of(content[:4096], name))
        seen = preview_upload.sync(client=client, body=head)
        say(f"previewed {name}", [column.column for column in seen.columns])
        form = AcceptUploadFilesBody(file=file_of(content, name))
        last = accept_upload.sync(client=client, body=form, prefer="wait=60")
        say(f"uploaded {name}", f"{last.state}: {last.rows.to_dict()}")
        check(last.state.value.startswith("completed"), last)
        check(last.rows.read == sum(last.rows.to_dict().values()) - last.rows.read, last)

    rejects: Any = get_rejects.sync_detailed(last.id, client=client).content.decode()
    check(rejects.startswith("id,name,datetime,department_id,job_id,_line"), rejects[:80])
    check(len(rejects.splitlines()) == last.rows.rejected + 1, last)
    say("read the rejects", len(rejects.splitlines()) - 1)
    say("hires by quarter", len(hires_by_quarter.sync(client=client, year=2021).rows))
    say("above the mean", len(departments_above_mean.sync(client=client, year=2021).rows))

    undone = undo_upload.sync(last.id, client=client, prefer="wait=60")
    check((undone.kind.value, undone.rows.removed) == ("undo", last.rows.inserted), undone)
    say("undid the last", undone.rows.to_dict())

    rows = [NewJobsRow(id=9001, job="Surveyor"), NewJobsRow(id="9002", job="Archivist")]
    checked = check_rows.sync(TableName.JOBS, client=client, body=rows)
    check((checked.read, checked.errors_total) == (2, 0), checked)
    wrong = check_rows.sync(TableName.JOBS, client=client, body=[NewJobsRow(id=9003, job=" ")])
    check(wrong.errors[0].column == "job", wrong)
    say("checked rows", wrong.errors[0].message)
    say("wrote rows", write_rows.sync(TableName.JOBS, client=client, body=rows).to_dict())
    page = read_rows.sync(TableName.JOBS, client=client, id=9001)
    check(page.rows == [JobsRow(id=9001, job="Surveyor")], page)
    refused = write_rows.sync(TableName.JOBS, client=client, body=[NewJobsRow(id=0, job="None")])
    check((refused.status, refused.errors[0].row) == (422, 1), refused)
    say("a row refused", refused.errors[0].message)

    key = add_key.sync(
        client=client,
        body=NewAccessKey(
            name="generated client",
            permissions=[NewAccessKeyPermissionsItem.UPLOADSREAD],
            expires_at=datetime.now(UTC) + timedelta(days=1),
        ),
    )
    by_key: Any = AuthenticatedClient(base_url=url, token=key.key)
    check(who_am_i.sync(client=by_key).email == email, email)
    say("made a key", key.name)
    webhook = add_webhook.sync(client=client, body=NewWebhook(url="https://hooks.example.com/m"))
    check(webhook.secret.startswith("whsec_"), webhook)
    say("registered a webhook", webhook.url)


def file_of(content: bytes, name: str) -> File:
    """A part of a form: of a raw body the generated client can't be told the type."""
    return File(payload=BytesIO(content), file_name=name, mime_type="text/csv")


def check(holds: bool, answer: object) -> None:
    """End with the answer where it is not what it should be."""
    if not holds:
        sys.exit(f"not what it should be: {answer}")


def say(what: str, result: object) -> None:
    """Print what a step has done."""
    sys.stdout.write(f"{what}: {result}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
