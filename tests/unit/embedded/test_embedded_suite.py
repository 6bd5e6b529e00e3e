from collections.abc import Iterator

import pytest

from embedded import ports
from embedded.errors import StartError
from embedded.suite import Suite, plan_suite


@pytest.fixture
def suite() -> Iterator[Suite]:
    environment = {
        "PATH": "/bin",
        "MUSTER_SMTP_URL": "smtp://mail",
        "MUSTER_ADMIN_PASSWORD_FILE": "/run/secrets/admin",
        "MUSTER_EMAIL_SECRET_FILE": "/run/secrets/email",
    }
    suite = plan_suite(environment, 0, "ana@example.com", "a secret")
    yield suite
    suite.close()


def test_the_admin_password_goes_to_nobody_but_the_command_that_makes_the_account(
    suite: Suite,
) -> None:
    assert suite.admin.environment["MUSTER_ADMIN_PASSWORD"] == "a secret"
    assert suite.admin.environment["MUSTER_ADMIN_EMAIL"] == "ana@example.com"
    for program in (*suite.migrations, *suite.processes):
        assert not {name for name in program.environment if "ADMIN_PASSWORD" in name}
    assert all("a secret" not in program.command for program in (suite.admin, *suite.processes))


def test_variables_of_the_caller_reach_every_process(suite: Suite) -> None:
    for program in (suite.admin, *suite.migrations, *suite.processes):
        assert program.environment["MUSTER_SMTP_URL"] == "smtp://mail"
        assert program.environment["MUSTER_EMAIL_SECRET_FILE"] == "/run/secrets/email"
        assert "MUSTER_EMAIL_SECRET" not in program.environment


def test_the_services_are_told_where_the_others_answer(suite: Suite) -> None:
    health = {program.name: program.health for program in suite.processes}
    for program in suite.processes:
        for service in ("auth", "queries", "dbuploader"):
            assert program.environment[f"MUSTER_{service.upper()}_URL"] == health[service]
        assert program.environment["MUSTER_PUBLIC_URL"] == suite.url == health["gateway"]


def test_a_public_address_of_the_caller_is_kept() -> None:
    suite = plan_suite({"MUSTER_PUBLIC_URL": "https://muster.example.com"}, 0, "a@b.c", "secret")
    suite.close()
    addresses = {program.environment["MUSTER_PUBLIC_URL"] for program in suite.processes}
    assert addresses == {"https://muster.example.com"}


def test_every_process_has_a_port_of_its_own(suite: Suite) -> None:
    assert len({program.health for program in suite.processes}) == len(suite.processes) == 9


def test_a_taken_port_ends_the_start_before_anything_runs() -> None:
    with ports.listen(0) as taken, pytest.raises(StartError, match="is in use"):
        plan_suite({}, ports.port_of(taken), "a@b.c", "secret")


def test_whoever_starts_the_suite_is_told_at_once_that_a_database_is_away(suite: Suite) -> None:
    for program in (suite.admin, *suite.migrations):
        assert program.environment["MUSTER_WAIT_SECONDS"] == "0"


def test_a_wait_of_the_caller_is_kept() -> None:
    suite = plan_suite({"MUSTER_WAIT_SECONDS": "30"}, 0, "a@b.c", "secret")
    suite.close()
    assert {program.environment["MUSTER_WAIT_SECONDS"] for program in suite.migrations} == {"30"}
