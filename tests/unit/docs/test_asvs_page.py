"""The page of OWASP ASVS has every requirement of levels 1 and 2 once, and names what is there."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[3]
# Of version 5.0.0: how many requirements of levels 1 and 2 each section has; level 3 comes after.
SECTIONS = {
    **{"1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1},
    **{"3.2": 2, "3.3": 4, "3.4": 6, "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4},
    **{"5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3, "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5},
    **{"6.6": 3, "6.8": 4, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2, "8.1": 2},
    **{"8.2": 3, "8.3": 1, "8.4": 1, "9.1": 3, "9.2": 4, "10.1": 2, "10.2": 2, "10.3": 4},
    **{"10.4": 11, "10.5": 5, "10.6": 2, "10.7": 3, "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4},
    **{"11.5": 1, "11.6": 1, "12.1": 3, "12.2": 2, "12.3": 4, "13.1": 1, "13.2": 5, "13.3": 2},
    **{"13.4": 5, "14.1": 2, "14.2": 4, "14.3": 3, "15.1": 3, "15.2": 3, "15.3": 7, "16.1": 1},
    **{"16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3, "17.1": 1, "17.2": 4, "17.3": 2},
}
REQUIREMENTS = [f"{name}.{n + 1}" for name, count in SECTIONS.items() for n in range(count)]
PAGE = (ROOT / "docs" / "asvs.md").read_text("utf-8")
ROW = re.compile(
    r"^\| ([0-9.]+)(?:, all (\d+))? \| (met|partly|not met|n/a) \| (.+?) \| (.*?) ?\|$",
    re.MULTILINE,
)
ROWS = ROW.findall(PAGE)


def of(number: str) -> list[str]:
    """The requirements of a row, which may stand for a section or a chapter."""
    return [each for each in REQUIREMENTS if each == number or each.startswith(f"{number}.")]


def test_every_requirement_stands_there_once() -> None:
    assert len(REQUIREMENTS) == 253
    stands = Counter(each for number, *_ in ROWS for each in of(number))
    assert stands == Counter(REQUIREMENTS)
    assert len(ROWS) == len(re.findall(r"^\| \d", PAGE, re.MULTILINE))
    assert all(int(many or 1) == len(of(number)) for number, many, *_ in ROWS)


def test_what_is_met_names_a_file_or_a_test_and_what_is_missing_stands_out() -> None:
    for number, _, state, how, seen in ROWS:
        assert bool(seen) == (state in {"met", "partly"}), number
        assert ("**" in how) == (state == "partly"), number


def test_every_file_and_test_that_is_named_is_there() -> None:
    named = {name for *_, seen in ROWS for name in re.findall(r"`([^`]+)`", seen)}
    assert len(named) > 100
    for name in sorted(named):
        path, _, test = name.partition("::")
        assert (ROOT / path).exists(), name
        assert not test or f"def {test}(" in (ROOT / path).read_text("utf-8"), name


def test_the_numbers_at_the_top_are_those_of_the_rows() -> None:
    said = dict(re.findall(r"^\| (met|partly|not met|n/a) \| (\d+) \|$", PAGE, re.MULTILINE))
    counted: Counter[str] = Counter()
    for number, _, state, *_ in ROWS:
        counted[state] += len(of(number))
    assert {state: int(many) for state, many in said.items()} == counted
