"""`docs/messages.md` describes every message, queue and header that the code has."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from muster.broker import BINDINGS, DELIVERY_LIMIT
from muster.contracts.messages import EmailRequested, Message, UploadAccepted, UploadFinished
from muster.contracts.uploads import State
from muster.observability.tracing import current_trace

PAGE = (Path(__file__).parents[3] / "docs" / "messages.md").read_text("utf-8")
ASYNCAPI: dict[str, Any] = json.loads(PAGE.split("```json\n")[1].split("```")[0])
MESSAGES = [UploadAccepted, UploadFinished, EmailRequested]


def section(title: str) -> str:
    """What stands under the heading `title`, up to the next heading."""
    return re.split(rf"^##+ {re.escape(title)}$", PAGE, flags=re.M)[1].split("\n#")[0]


def rows_of(text: str) -> list[str]:
    """The first cell of each row of a Markdown table whose rows begin with code."""
    return re.findall(r"^\| `([^`]+)` \|", text, re.M)


def fields_of(message: type[Message]) -> list[str]:
    return ["version", *(field.name for field in fields(message))]


@pytest.mark.parametrize("message", MESSAGES)
def test_each_field_of_a_message_stands_in_its_table_and_no_other(
    message: type[Message],
) -> None:
    assert rows_of(section(message.routing_key)) == fields_of(message)


@pytest.mark.parametrize("message", MESSAGES)
def test_each_field_of_a_message_stands_in_its_schema_and_no_other(
    message: type[Message],
) -> None:
    described = ASYNCAPI["components"]["messages"][message.__name__]
    assert described["name"] == message.routing_key
    assert described["payload"]["required"] == fields_of(message)
    assert list(described["payload"]["properties"]) == fields_of(message)
    assert described["payload"]["properties"]["version"] == {"const": message.version}


def test_each_routing_key_and_queue_is_described() -> None:
    for routing_key, queue in BINDINGS.items():
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{routing_key}`"))
        assert f"`{queue}`" in row
        assert f"`{queue}.dead`" in PAGE
    channels = ASYNCAPI["channels"]
    assert {it["address"]: name.partition("-")[0] for name, it in channels.items()} == BINDINGS


def test_each_header_is_described() -> None:
    headers = list(current_trace().headers())
    assert rows_of(section("Headers")) == headers
    assert list(ASYNCAPI["components"]["schemas"]["Headers"]["properties"]) == headers


def test_each_final_state_is_described() -> None:
    final = [state.value for state in State if state.is_final]
    finished = ASYNCAPI["components"]["messages"]["UploadFinished"]["payload"]
    assert finished["properties"]["state"]["enum"] == final
    assert all(f"`{state}`" in section("upload.finished") for state in final)


def test_the_delivery_limit_is_told() -> None:
    assert f"delivered {DELIVERY_LIMIT} times" in section("Delivery")
