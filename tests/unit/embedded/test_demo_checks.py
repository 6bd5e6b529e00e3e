import pytest

from embedded.demo.__main__ import _conclude
from embedded.demo.checks import Checks, table


def test_a_wrong_answer_is_shown_and_ends_the_demo_with_a_failure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    checks = Checks()
    checks.equal("the counts", 1, 1)
    checks.equal("the mean", 2.5, 3.5)
    assert _conclude(checks) == 1
    said = capsys.readouterr().out
    assert "WRONG  the mean" in said
    assert "1 of 2 checks passed" in said


def test_no_wrong_answer_ends_it_well() -> None:
    checks = Checks()
    checks.equal("the counts", 1, 1)
    assert _conclude(checks) == 0


def test_tables_are_aligned_and_say_what_they_leave_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table([{"name": "Ana", "hired": 5}, {"name": "Bo", "hired": 12}, {"name": "C", "hired": 1}], 2)
    assert capsys.readouterr().out == (
        "  name  hired\n  Ana       5\n  Bo       12\n  … and 1 more\n"
    )
