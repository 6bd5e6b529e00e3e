"""Reads from replicas never go back: the rule over a model of a group, whose members are fakes.

Positions are numbers here. A real group is in tests/e2e/test_mysql_group.py.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

import pytest
from sqlalchemy import Connection

from muster.adapters import ConfigurationError
from muster.contracts.tables.sql import hires_summary
from muster.database import Database, DatabaseRefused, DatabaseUnavailable
from muster.database.mysql.admission import require_gtids
from muster.database.mysql.replicas import set_of
from muster.database.replicas import READS, ReadYourWrites, open_reads

_STEPS = 500
# A change, each member's progress, each replica's absence or return, and each of four readers.
_WEIGHTS = (4, 3, 3, 3, 1, 1, 3, 3, 3, 3)
_IN_TIME_SHARE = 0.3


class Group:
    """A primary and two others: what was sent to all of them, and what each has committed.

    A change is acknowledged once the primary has committed it. Whether one that is waited for gets
    there in time is what `in_time` says.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.committed = [0, 0, 0]
        self.in_time: Callable[[], bool] = lambda: False
        self.away: set[int] = set()
        self.primary_is_known = True

    def get_on(self, member: int) -> None:
        self.committed[member] = min(self.sent, self.committed[member] + 1)

    def reaches(self, member: int, position: int) -> bool:
        if self.committed[member] < position <= self.sent and self.in_time():
            self.committed[member] = position
        return self.committed[member] >= position


class View:
    """A transaction on a member, whose view is that of its first look."""

    def __init__(self, group: Group, member: int) -> None:
        self._group, self._member = group, member
        self.shown: int | None = None

    def look(self) -> int:
        if self.shown is None:
            self.shown = self._group.committed[self._member]
        return self.shown


class Member:
    def __init__(self, group: Group, number: int) -> None:
        self._group, self.number = group, number

    def read(self) -> AbstractContextManager[Connection]:
        return self._read()

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        if self.number in self._group.away:
            raise DatabaseUnavailable("away")
        yield cast(Connection, View(self._group, self.number))

    def reaches(self, connection: Connection, position: str, seconds: float) -> bool:
        assert seconds > 0
        assert cast(View, connection).shown is None
        return self._group.reaches(self.number, int(position))

    def shown(self, connection: Connection) -> str:
        # It may have committed more since.
        return str(max(cast(View, connection).look(), self._group.committed[self.number]))


class GroupPrimary:
    def __init__(self, group: Group) -> None:
        self._group = group

    def position(self) -> str:
        if not self._group.primary_is_known:
            raise DatabaseUnavailable("no primary")
        return str(self._group.committed[0])

    def has(self, position: str, seconds: float) -> bool:
        assert seconds > 0
        return self._group.reaches(0, int(position))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def group() -> Group:
    return Group()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reads(group: Group, clock: Clock) -> ReadYourWrites:
    return reads_of(group, clock)


def reads_of(
    group: Group, clock: Callable[[], float], order: tuple[int, ...] = (1, 2)
) -> ReadYourWrites:
    replicas = [Member(group, number) for number in order]
    return ReadYourWrites(GroupPrimary(group), Member(group, 0), replicas, clock=clock)


def look(reads: ReadYourWrites) -> int:
    with reads.read() as connection:
        return cast(View, connection).look()


@pytest.mark.parametrize("seed", range(20))
def test_no_read_shows_less_than_what_was_acknowledged_or_shown_before_it_began(seed: int) -> None:
    """Up to four reads at once, over changes that reach each member whenever they do."""
    group, chance, answered = Group(), random.Random(seed), 0
    open_reads: dict[int, tuple[Any, Any, int]] = {}
    known = 0

    def begin(which: int) -> None:
        # Each in a process of its own, which knows nothing of the others.
        reading = reads_of(group, lambda: 0.0, ((1, 2), (2, 1))[which % 2]).read()
        open_reads[which] = reading, reading.__enter__(), known

    def end(which: int) -> int:
        reading, view, at_least = open_reads.pop(which)
        shown = int(view.look())
        assert shown >= at_least
        reading.__exit__(None, None, None)
        return shown

    for what in chance.choices(range(10), _WEIGHTS, k=_STEPS):
        group.in_time = lambda: chance.random() < _IN_TIME_SHARE
        try:
            if what == 0:
                group.sent += 1
            elif what <= 3:
                group.get_on(what - 1)
                # What the primary has committed is acknowledged.
                known = max(known, group.committed[0])
            elif what <= 5:
                group.away ^= {what - 3}
            elif what - 6 in open_reads:
                known = max(known, end(what - 6))
                answered += 1
            else:
                begin(what - 6)
        except DatabaseUnavailable:
            pass
    assert answered > _STEPS / 10


def answered(server: str) -> float:
    return float(READS.labels(server)._value.get())


def test_a_replica_that_has_it_all_answers(group: Group, reads: ReadYourWrites) -> None:
    group.sent, group.committed = 1, [1, 1, 1]
    before = answered("replica")
    assert look(reads) == 1
    assert answered("replica") == before + 1


def test_one_that_lags_is_passed_over_for_a_while(
    group: Group, reads: ReadYourWrites, clock: Clock
) -> None:
    group.sent, group.committed = 2, [2, 1, 1]
    asked: list[int] = []
    group.in_time = lambda: bool(asked.append(1))  # type: ignore[func-returns-value]
    before = answered("primary")
    assert [look(reads) for _ in range(3)] == [2, 2, 2]
    assert answered("primary") == before + 3
    # Each replica was waited for once.
    assert len(asked) == 2
    clock.now += 10
    group.committed = [2, 2, 2]
    before = answered("replica")
    assert look(reads) == 2
    assert answered("replica") == before + 1


def test_one_that_is_away_is_passed_over(group: Group, reads: ReadYourWrites) -> None:
    group.sent, group.committed, group.away = 1, [1, 1, 1], {1, 2}
    before = answered("primary")
    assert look(reads) == 1
    assert answered("primary") == before + 1
    group.away = {0, 1, 2}
    with pytest.raises(DatabaseUnavailable, match="neither a replica nor the primary"):
        look(reads)


def test_what_the_primary_has_not_committed_is_not_answered(
    group: Group, reads: ReadYourWrites
) -> None:
    group.sent, group.committed = 1, [0, 1, 1]
    with pytest.raises(DatabaseUnavailable, match="its primary has not committed"):
        look(reads)
    group.in_time = lambda: True
    assert look(reads) == 1


def test_without_a_primary_nobody_answers(group: Group, reads: ReadYourWrites) -> None:
    group.primary_is_known = False
    with pytest.raises(DatabaseUnavailable, match="no primary"):
        look(reads)


def test_a_replica_that_can_t_be_used_is_told_and_not_passed_over(
    group: Group, reads: ReadYourWrites
) -> None:
    def refuse() -> bool:
        raise DatabaseRefused("too old")

    group.sent, group.committed, group.in_time = 1, [1, 0, 0], refuse
    with pytest.raises(DatabaseRefused, match="too old"):
        look(reads)


@pytest.mark.parametrize(
    ("owned", "executed", "both"),
    [
        ("", "", ""),
        ("", "a:1-5,\nb:1", "a:1-5,b:1"),
        ("a:6#12#13", "a:1-5", "a:1-5,a:6"),
        ("a:6#12:7#13,\nb:2#4", "", "a:6:7,b:2"),
    ],
)
def test_what_a_server_may_show_is_what_it_has_executed_and_what_it_is_about_to(
    owned: str, executed: str, both: str
) -> None:
    assert set_of(owned, executed) == both


def test_without_a_read_url_there_is_only_the_database() -> None:
    assert isinstance(open_reads("sqlite:///a.db", "", hires_summary), Database)


@pytest.mark.parametrize(
    ("url", "read_url"),
    [
        ("sqlite:///a.db", "mysql://u@b/employment"),
        ("mysql://u@a/employment", "sqlite:///b.db"),
        ("mysql://u@a/employment", "b,c"),
    ],
)
def test_only_servers_have_replicas(url: str, read_url: str) -> None:
    with pytest.raises(ConfigurationError, match="replicated database URL begins with"):
        open_reads(url, read_url, hires_summary)


@pytest.mark.parametrize(
    "variables",
    [{"version": "10.11.19-MariaDB"}, {"version": "9.7.4", "gtid_mode": "OFF"}],
    ids=["MariaDB", "no GTIDs"],
)
def test_a_server_without_mysql_s_gtids_is_refused(variables: dict[str, str]) -> None:
    with pytest.raises(DatabaseRefused, match=r"at host needs gtid_mode=ON.*READ_URL"):
        require_gtids(variables, "host")
    require_gtids({**variables, "gtid_mode": "ON"}, "host")
