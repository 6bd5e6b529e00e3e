"""`python -m muster.deadletters`: what an operator sees, and what is wrong when it is."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from muster.broker import Broker, DeadLetter, DeadMessage, Delivery, QueueDepth, open_broker
from muster.deadletters import main, table
from tests.contract.consuming import consume


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/broker.db"


@pytest.fixture
def broker(url: str) -> Iterator[Broker]:
    with closing(open_broker(url)) as broker:
        yield broker


def bury(broker: Broker, body: bytes, reason: str) -> None:
    broker.publish("upload.accepted", body, {"X-Request-Id": "r-1"})
    consume(broker, 1, lambda _delivery: DeadLetter(reason))


def run(url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "muster.deadletters", *arguments],
        env={**os.environ, "MUSTER_BROKER_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_dead_letter_is_a_line_of_an_aligned_table() -> None:
    died_at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    known = Delivery("upload.accepted", b'{"upload_id": "u-1"}', {"X-Request-Id": "r-1"})
    unreadable = Delivery("upload.accepted", b"\xff", {})
    lines = [*table([DeadMessage(known, "old", died_at), DeadMessage(unreadable, "odd", died_at)])]
    assert lines == [
        "DIED AT               UPLOAD  REQUEST  REASON",
        "2026-01-02T03:04:05Z  u-1     r-1      old",
        "2026-01-02T03:04:05Z  -       -        odd",
    ]


@pytest.mark.parametrize(
    "body",
    [b"[]", b"7", b'{"upload_id": 7}', b"{}", b"{", b"[" * 100_000, b'{"upload_id": "\\ud800"}'],
)
def test_a_body_without_an_upload_id_is_listed_all_the_same(body: bytes) -> None:
    [_, line] = table([DeadMessage(Delivery("upload.accepted", body), "why", datetime.now(UTC))])
    assert line.split()[1:] == ["-", "-", "why"]


def test_a_reason_cannot_steer_the_terminal_or_begin_a_line() -> None:
    letter = DeadMessage(Delivery("upload.accepted", b""), "a\x1b[2J\nb", datetime.now(UTC))
    [_, line] = table([letter])
    assert line.endswith("a�[2J�b")


def test_the_dead_letters_are_listed_and_stay(url: str, broker: Broker) -> None:
    bury(broker, json.dumps({"upload_id": "u-1"}).encode(), "no record")
    bury(broker, b"odd", "unreadable")
    for _ in range(2):
        listing = run(url, "list", "dbuploader", "--limit", "1")
        assert listing.returncode == 0, listing.stderr
        [_, line, summary] = listing.stdout.splitlines()
        assert line.split()[1:] == ["u-1", "r-1", "no", "record"]
        assert summary == "dead letters: 1 of 2"


def test_a_replay_says_how_many_there_were(url: str, broker: Broker) -> None:
    bury(broker, b"a", "why")
    replay = run(url, "replay", "dbuploader")
    assert (replay.returncode, replay.stdout) == (0, "replayed: 1\n"), replay.stderr
    assert broker.depth("dbuploader") == QueueDepth(waiting=1, dead=0)


@pytest.mark.parametrize(
    "arguments",
    [(), ("list",), ("list", "nobody"), ("list", "dbuploader", "--limit", "0"), ("replay", "all")],
)
def test_a_command_that_makes_no_sense_is_refused(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    said = capsys.readouterr()
    assert (refused.value.code, said.out) == (2, "")
    assert said.err.startswith("usage: python -m muster.deadletters")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("amqp://guest:secret@127.0.0.1:1/", "The broker can't do that now"),
        ("amqp://guest:secret@127.0.0.1/?prefetch=1", "MUSTER_BROKER_URL: "),
        ("nats://guest:secret@127.0.0.1", "MUSTER_BROKER_URL: "),
    ],
)
def test_what_is_wrong_is_said_in_a_line_without_the_password(url: str, says: str) -> None:
    failed = run(url, "list", "dbuploader")
    assert (failed.returncode, failed.stdout) == (1, "")
    [line] = failed.stderr.splitlines()
    assert line.startswith(says)
    assert "secret" not in line
