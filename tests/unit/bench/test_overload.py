"""Clients that give up: what becomes of each question is counted once."""

import asyncio

from bench.parts.overload import Question, Tally, ask_in_turn, flood

ANSWERS = (
    b"HTTP/1.1 200 OK\r\n\r\nhello",
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n",
    b"HTTP/1.1 500 Internal Server Error\r\n\r\n",
    b"",
)
"""The last of them never comes."""


async def ask_one_that_answers_in_turn() -> Tally:
    asked: list[bytes] = []
    released = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        response = ANSWERS[len(asked) % len(ANSWERS)]
        if not response:
            await released.wait()
        writer.write(response)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    question = Question.to(f"http://127.0.0.1:{port}", "/x?y=1", {"Authorization": "Bearer t"})
    tally = await asyncio.to_thread(flood, question, rate=50, seconds=0.4, patience=1)
    released.set()
    server.close()
    await server.wait_closed()
    assert set(asked) == {
        f"GET /x?y=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
        "Authorization: Bearer t\r\n\r\n".encode()
    }
    assert tally.asked == len(asked)
    return tally


def test_answers_refusals_and_what_is_given_up_are_told_apart() -> None:
    tally = asyncio.run(ask_one_that_answers_in_turn())
    quarter = tally.asked // len(ANSWERS)
    assert quarter > 0
    assert abs(tally.answered - quarter) <= 1
    assert abs(len(tally.refusals) - quarter) <= 1
    # Another error is no answer, and none that comes too late is one.
    assert abs(tally.gave_up - 2 * quarter) <= 2
    assert tally.a_second(tally.asked) == tally.asked / tally.seconds


async def ask_one_that_is_quick() -> tuple[Tally, int]:
    asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        writer.write(ANSWERS[0])
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        question = Question.to(f"http://127.0.0.1:{port}", "/", {})
        tally = await asyncio.to_thread(ask_in_turn, question, seconds=0.2)
    return tally, asked


def test_who_asks_in_turn_is_answered_each_time() -> None:
    tally, asked = asyncio.run(ask_one_that_is_quick())
    assert tally.answered == tally.asked > 0
    assert tally.seconds >= 0.2
    assert tally.asked == asked
