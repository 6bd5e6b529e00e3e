"""One request is followed by its id through the logs of every process and by its trace."""

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from embedded.client import Client
from embedded.demo.mailbox import text_of
from tests.e2e.conftest import ADMIN, IN_GROUPS, open_family
from tests.e2e.pausing import paused
from tests.e2e.waiting import wait_until
from tests.servers.collector import Recorded, collecting

CONTENT = b"7001,Secretly Named\r\n,nobody"
PROCESSES = (
    *("gateway", "auth", "queries", "dbuploader"),
    *("dbuploader-consumer", "notification-consumer"),
)
BATCH = [{"id": 7002, "department": "Secretly Added"}]


@dataclass(frozen=True)
class Followed:
    """What was left behind by an upload, a query and a batch under one id, by a suite that ended.

    Spans were exported when its processes stopped, not before.
    """

    request_id: str
    trace: str
    caller: str
    upload_id: str
    user: str
    email: EmailMessage
    spans: Sequence[Recorded]
    logs: Path

    def lines(self, process: str) -> list[dict[str, Any]]:
        """What the log of a process says under the request's id."""
        lines = map(json.loads, (self.logs / f"{process}.log").read_text().splitlines())
        return [line for line in lines if line.get("request_id") == self.request_id]

    def summary(self, family: str) -> str:
        """In how many places it was found."""
        told = ", ".join(f"{process} {len(self.lines(process))}" for process in PROCESSES)
        services = {span.service for span in self.spans}
        return f"{family}: lines of {told}; one trace, {len(self.spans)} spans of {len(services)}"

    def path_of(self, span: Recorded) -> list[tuple[str, str, str]]:
        """The span and those that it is in, from the innermost."""
        by_id = {each.id: each for each in self.spans}
        path = [span]
        while path[-1].parent in by_id:
            path.append(by_id[path[-1].parent])
        assert path[-1].parent == self.caller
        return [(each.service, each.kind, each.name) for each in path]

    def paths(self, name: str) -> list[list[tuple[str, str, str]]]:
        """The paths of all spans of a name."""
        return [self.path_of(span) for span in self.spans if span.name == name]


@pytest.fixture(scope="module", params=IN_GROUPS)
def followed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, run_directory: Path
) -> Iterator[Followed]:
    directory = tmp_path_factory.mktemp("followed")
    trace, caller, request_id = secrets.token_hex(16), secrets.token_hex(8), "the-id-to-follow"
    with (
        collecting() as collector,
        open_family(request.param, directory, run_directory) as family,
    ):
        late = {**collector.environment(), "OTEL_BSP_SCHEDULE_DELAY": "600000"}
        traced = replace(family, environment={**family.environment, **late})
        with traced.run() as suite, Client(suite.url, ADMIN, suite.admin_password()) as admin:
            headers = {"X-Request-Id": request_id, "traceparent": f"00-{trace}-{caller}-01"}
            admin.session.headers.update(headers)
            # Where the gateway stalls for seconds, the relay would publish the upload, too.
            with paused(suite.pid("gateway-relay")):
                upload = admin.upload("departments.csv", CONTENT)
                for name in headers:
                    del admin.session.headers[name]
                admin.wait(upload["id"])
                wait_until(family.emails)
            rows, me = f"{suite.url}/v1/tables/departments/rows", f"{suite.url}/v1/me"
            admin.session.post(rows, json=BATCH, headers=headers).raise_for_status()
            admin.session.get(rows, headers=headers).raise_for_status()
            user = admin.session.get(me, headers=headers).json()["id"]
            assert collector.spans() == []
        (email,) = family.emails()
        spans = collector.spans(trace)
        logs = suite.home / "log"
        followed = Followed(request_id, trace, caller, upload["id"], user, email, spans, logs)
        print(followed.summary(request.param))
        yield followed


@pytest.mark.parametrize("process", PROCESSES)
def test_the_request_id_is_in_the_log_of_every_process(followed: Followed, process: str) -> None:
    lines = followed.lines(process)
    assert lines
    assert all(line["service"] == process for line in lines)
    # Which emails the uploader wants is asked by the notification service, for no user.
    by_user = [line for line in lines if not line.get("path", "").startswith("/v1/email-choices/")]
    assert by_user
    assert all(line["user"] == followed.user for line in by_user)
    assert all(line["trace_id"] == followed.trace for line in lines)


def test_every_line_about_the_upload_names_it(followed: Followed) -> None:
    about = [
        (process, line["event"], line.get("upload_id"))
        for process in ("gateway", "dbuploader-consumer", "notification-consumer")
        for line in followed.lines(process)
        if line.get("path") not in {"/v1/tables/departments/rows", "/v1/me"}
    ]
    assert about == [
        ("gateway", "upload accepted", followed.upload_id),
        ("gateway", "request", followed.upload_id),
        ("dbuploader-consumer", "upload finished", followed.upload_id),
        ("notification-consumer", "email sent", followed.upload_id),
    ]


def test_the_email_shows_the_request_and_belongs_to_its_trace(followed: Followed) -> None:
    assert followed.email["X-Request-Id"] == followed.request_id
    assert followed.email["traceparent"].split("-")[1] == followed.trace
    assert f"Request {followed.request_id}" in text_of(followed.email)


def test_one_upload_is_one_trace_from_the_post_to_the_email(followed: Followed) -> None:
    accepted = [
        ("dbuploader-consumer", "CONSUMER", "process upload.accepted"),
        ("gateway", "PRODUCER", "send upload.accepted"),
        ("gateway", "SERVER", "POST /v1/uploads"),
    ]
    assert followed.paths("load departments") == [
        [
            ("dbuploader-consumer", "INTERNAL", "load departments"),
            ("dbuploader-consumer", "CLIENT", "write transaction"),
            *accepted,
        ]
    ]
    assert followed.paths("send email") == [
        [
            ("notification-consumer", "CLIENT", "send email"),
            ("notification-consumer", "CONSUMER", "process upload.finished"),
            ("dbuploader-consumer", "PRODUCER", "send upload.finished"),
            *accepted,
        ]
    ]


@pytest.mark.parametrize(
    ("service", "method", "transaction"),
    [("queries", "GET", "read"), ("dbuploader", "POST", "write")],
)
def test_a_call_through_the_gateway_is_one_trace_down_to_the_database(
    followed: Followed, service: str, method: str, transaction: str
) -> None:
    route = f"{method} /v1/tables/<table>/rows"
    assert [
        (service, "CLIENT", f"{transaction} transaction"),
        (service, "SERVER", route),
        ("gateway", "CLIENT", method),
        ("gateway", "SERVER", route),
    ] in followed.paths(f"{transaction} transaction")


def test_spans_tell_of_no_row_and_no_token(followed: Followed) -> None:
    told = "\n".join(str(span.attributes) for span in followed.spans)
    assert followed.upload_id in told
    assert "Secretly" not in told
    assert "Bearer" not in told
