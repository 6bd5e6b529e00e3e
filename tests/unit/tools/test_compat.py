"""`make compat` without the systems: which are asked for, what is read and what is written."""

import re
from pathlib import Path

import pytest

from tools.compat.outcomes import TestOutcomes, read_outcomes
from tools.compat.page import as_markdown
from tools.compat.platforms import BY_WORKFLOW, PLATFORMS, select
from tools.compat.records import Cost, Record, keep, kept
from tools.compat.root import lent_variables

ROOT = Path(__file__).parents[3]
RECORD = Record(
    name="debian13",
    commit="0123abc",
    run_on="2026-11-27",
    system="Debian 13.2",
    python="3.13.5",
    openssl="3.5.1",
    servers=["MariaDB 11.8.3", "RabbitMQ 4.0.5"],
    demo_passed=True,
    demo=Cost(61, 612),
    test=Cost(1234, 1400),
    outcomes=TestOutcomes(
        passed=3900,
        failed=["tests.e2e.test_a::test_b"],
        skipped={
            "no SecantusDB here": {"tests/contract/test_store.py": 7, "tests/e2e/test_a.py": 2}
        },
    ),
)


def report(path: Path, *cases: str) -> None:
    path.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")


def case(name: str, what: str = "", classname: str = "tests.unit.test_x") -> str:
    return f'<testcase classname="{classname}" name="{name}">{what}</testcase>'


def test_without_names_every_platform_is_tried() -> None:
    assert list(select("")) == list(PLATFORMS)


def test_a_systems_name_stands_for_all_its_platforms() -> None:
    assert [each.name for each in select("debian13,unstable")] == [
        "debian13",
        "unstable-own",
        "unstable-mysql",
    ]
    assert [each.name for each in select("unstable-mysql")] == ["unstable-mysql"]


def test_a_name_of_nothing_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"ONLY names debian11, which is none of debian12, "):
        select("debian12,debian11")


def test_a_report_is_counted(tmp_path: Path) -> None:
    report(
        tmp_path / "others.xml",
        case("test_one[a@b.c]@group"),
        case("test_two", "<failure/>"),
        case("test_three"),
        # It passed, and failed to clean up.
        case("test_three", "<error/>"),
        case("test_four", '<skipped message="no server here"/>'),
        case("test_five", '<skipped message="no server here"/>', "tests.unit.test_x.TestAll"),
    )
    report(tmp_path / "browser.xml", case("test_six", '<skipped message="no browser here"/>'))
    outcomes = read_outcomes(tmp_path)
    assert outcomes.passed == 1
    assert outcomes.failed == ["tests.unit.test_x::test_three", "tests.unit.test_x::test_two"]
    assert outcomes.skipped == {
        "no server here": {"tests/unit/test_x.py": 2},
        "no browser here": {"tests/unit/test_x.py": 1},
    }
    assert outcomes.skips == 3


def test_a_run_without_a_report_is_no_result(tmp_path: Path) -> None:
    report(tmp_path / "others.xml", case("test_one"))
    with pytest.raises(FileNotFoundError):
        read_outcomes(tmp_path)


def test_a_record_is_kept_and_replaced(tmp_path: Path) -> None:
    keep(RECORD, tmp_path)
    assert kept(tmp_path, ["debian12", "debian13"]) == [RECORD]


def test_the_page_has_a_row_and_names_each_skip_and_failure() -> None:
    page = as_markdown([RECORD])
    title = "Debian 13.2 with MariaDB 11.8.3, RabbitMQ 4.0.5"
    assert (
        "| Debian 13.2 | 3.13.5 | 3.5.1 | MariaDB 11.8.3, RabbitMQ 4.0.5 | 3,900 | 9 | 1 "
        "| 1,234 s, 1,400 MB | 61 s, 612 MB | 2026-11-27, `0123abc` |"
    ) in page
    assert (
        "- no SecantusDB here: 9 (`tests/contract/test_store.py` 7, `tests/e2e/test_a.py` 2)"
    ) in page
    assert f"## Failed\n\n- {title}: `tests.e2e.test_a::test_b`" in page


def test_settings_of_the_package_indexes_are_lent_and_paths_that_are_missing_not(
    tmp_path: Path,
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/ca.crt").touch()
    environment = {
        "PIP_CERT": "/etc/ca.crt",
        "PIP_FIND_LINKS": "/opt/wheels",
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "CI": "1",
        "MUSTER_TEST_MYSQL_URL": "mysql://root@127.0.0.1/",
    }
    assert lent_variables(environment, tmp_path) == {
        "PIP_CERT": "/etc/ca.crt",
        "UV_DEFAULT_INDEX": "https://index.example/simple",
    }


def test_the_workflow_tries_what_the_page_says_it_does() -> None:
    workflow = (ROOT / ".github/workflows/ci.yml").read_text("utf-8")
    words = re.split(r"[\s,\[\]]+", workflow)
    assert [what for what, name in BY_WORKFLOW.items() if name not in words] == []
    assert all(f"\n- {what}\n" in as_markdown([]) for what in BY_WORKFLOW)


def test_the_page_is_that_of_the_records() -> None:
    records = kept(ROOT / "tools/compat/results", [each.name for each in PLATFORMS])
    assert (ROOT / "docs/platforms.md").read_text("utf-8") == as_markdown(records)
