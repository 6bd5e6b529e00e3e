"""What people do in a history, made from its seed: send files, undo, cancel, damage records."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tests.e2e.workload import Record, UploadFile
from tests.simulator.stores import CONFUSES_ITS_LOADER, KILLS_ITS_LOADER
from tests.simulator.world import FAULTS, Climate

Doing = Literal["send", "cancel", "damage", "garbage", "undo"]

_KEYS = range(1, 7)
# How often all files are sent at once.
_CROWDS = 0.25
_UNDOS = 0.3
_CHANCES = (0.0, 0.004, 0.01, 0.02, 0.05)
_OPTIONS: tuple[dict[str, str], ...] = (
    *({} for _ in range(6)),
    {"mode": "insert"},
    {"dry_run": "true"},
    {"max_rejects": "0"},
)


@dataclass(frozen=True)
class Deed:
    """What somebody does at a time: `number` is the file's, in the order of the plan.

    A file is sent with its idempotency key until it is accepted, or, without one, once. It is
    undone once it is final, and some undos are undone then. A record is damaged for a while, as by
    another version. Garbage is a message that nobody can read.
    """

    at: float
    doing: Doing
    number: int = 0
    has_key: bool = True
    is_prompt: bool = True
    """Whether it waits for the answer to the one before."""


@dataclass(frozen=True)
class Plan:
    """All that is decided before a history begins."""

    seed: int
    deeds: tuple[Deed, ...]
    climate: Climate
    loaders: int = 1
    takes_files: bool = False
    in_record: bool = False


@dataclass
class Letterbox:
    """A file as it is sent: `extra` are lines that make its loader fail."""

    file: UploadFile
    extra: bytes = b""
    recipient: str = "ana@example.com"
    upload_ids: set[str] = field(default_factory=set)

    @property
    def content(self) -> bytes:
        """Its bytes."""
        return self.file.content + self.extra


def make_plan(seed: int) -> Plan:
    """The plan of a seed. Each history knows some of the faults only, some often, some none."""
    chance = random.Random(f"plan {seed}")
    deeds: list[Deed] = []
    at = 0.0
    files = chance.choice((1, 2, 2, 3, 3, 4))
    is_crowd = chance.random() < _CROWDS
    for number in range(files * 2 if is_crowd else files):
        is_prompt = not is_crowd and chance.random() < 0.5
        at += 0.0 if is_prompt or is_crowd else chance.choice((0.0, 0.5, 3.0, 20.0))
        deeds.append(Deed(at, "send", number, chance.random() < 0.7, is_prompt))
        if chance.random() < 0.15:
            deeds.append(Deed(at + chance.choice((0.0, 0.2, 2.0, 9.0)), "cancel", number))
        if chance.random() < 0.06:
            deeds.append(Deed(at + chance.choice((0.0, 0.2, 2.0, 9.0)), "damage", number))
    if chance.random() < 0.05:
        deeds.append(Deed(chance.choice((0.0, 3.0)), "garbage"))
    deeds += _undos(seed, [deed for deed in deeds if deed.doing == "send"])
    faults = tuple(name for name in FAULTS if chance.random() < 0.5)
    return Plan(
        seed,
        tuple(deeds),
        Climate(faults, chance.choice(_CHANCES)),
        loaders=chance.choice((1, 1, 2)),
        takes_files=chance.random() < 0.5,
        in_record=chance.random() < 0.5,
    )


def _undos(seed: int, sent: Sequence[Deed]) -> Iterator[Deed]:
    """In some histories some of the files are undone, and all else is as without that."""
    chance = random.Random(f"undos {seed}")
    if chance.random() < _UNDOS:
        for deed in sent:
            if chance.random() < 0.5:
                yield Deed(deed.at + chance.choice((0.0, 2.0, 9.0, 40.0)), "undo", deed.number)


def is_undone_twice(seed: int, number: int) -> bool:
    """Whether the undo of the file is undone, too."""
    return random.Random(f"undo {seed} {number}").random() < 0.5


def make_file(seed: int, number: int) -> Letterbox:
    """The file of that number in the plan of a seed; the same whatever else is in the plan."""
    chance = random.Random(f"file {seed} {number}")
    table = chance.choice(("departments", "jobs", "departments", "jobs", "hired_employees"))
    keys = [chance.choice(_KEYS) for _ in range(chance.choice((1, 2, 2, 3)))]
    records = [_record(chance, table, key, number) for key in keys]
    if chance.random() < 0.3:
        records.append(("", *records[0][1:]))
    letter = Letterbox(UploadFile(table, records, chance.choice(_OPTIONS)))
    if chance.random() < 0.06:
        letter.extra = chance.choice((KILLS_ITS_LOADER, CONFUSES_ITS_LOADER))
    if chance.random() < 0.05:
        letter.recipient = "refused@example.com"
    return letter


def _record(chance: random.Random, table: str, key: int, number: int) -> Record:
    name = f"{table} {key}" if key % 3 == 0 else f"{table} {key} of {number}"
    if table != "hired_employees":
        return (str(key), name)
    day = f"2021-0{chance.randint(1, 9)}-1{chance.randint(0, 9)}T12:00:00Z"
    return (str(key), name, day, str(chance.choice(_KEYS)), str(chance.choice(_KEYS)))


def files_of(plan: Plan) -> Sequence[int]:
    """The numbers of the files that the plan sends."""
    return [deed.number for deed in plan.deeds if deed.doing == "send"]
