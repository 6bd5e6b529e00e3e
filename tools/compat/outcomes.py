"""What a run of `make test` found, from the reports that it leaves."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree


@dataclass(frozen=True)
class TestOutcomes:
    """How many passed; which failed; how many a file were skipped, by the reason."""

    # Else pytest takes it for a test.
    __test__ = False

    passed: int
    failed: Sequence[str]
    skipped: Mapping[str, Mapping[str, int]]

    @property
    def skips(self) -> int:
        """How many were skipped, for whatever reason."""
        return sum(sum(files.values()) for files in self.skipped.values())


def read_outcomes(directory: Path) -> TestOutcomes:
    """Those of the JUnit reports that `tests/run` leaves in `directory`.

    Raises FileNotFoundError where a run ended before it could leave one.
    """
    failed, passed = list[str](), 0
    skipped: dict[str, Counter[str]] = {}
    for name in ("others", "browser"):
        cases = _cases(directory / f"{name}.xml")
        # One that passes and fails to clean up stands there twice.
        wrong = _tests(cases, "wrong")
        passed += len(_tests(cases, "passed") - wrong)
        failed += sorted(wrong)
        for case in cases:
            if (skip := case.find("skipped")) is not None:
                skipped.setdefault(skip.get("message", ""), Counter())[_file(case)] += 1
    files = {reason: dict(counts) for reason, counts in skipped.items()}
    return TestOutcomes(passed, failed, files)


def _tests(cases: Sequence[ElementTree.Element], state: str) -> set[str]:
    return {_name(case) for case in cases if _state(case) == state}


def _state(case: ElementTree.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "wrong"
    return "passed" if case.find("skipped") is None else "skipped"


def _cases(report: Path) -> Sequence[ElementTree.Element]:
    # Ours, not a stranger's.
    return list(ElementTree.parse(report).iter("testcase"))  # noqa: S314


def _name(case: ElementTree.Element) -> str:
    # Beside the others a test's group is added to its name.
    name = case.get("name", "")
    head, bracket, parameters = name.rpartition("]")
    return f"{case.get('classname')}::{head + bracket or parameters.split('@')[0]}"


def _file(case: ElementTree.Element) -> str:
    parts = case.get("classname", "").split(".")
    return "/".join(part for part in parts if not part[:1].isupper()) + ".py"
