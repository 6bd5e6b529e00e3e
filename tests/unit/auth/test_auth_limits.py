"""How many logins may fail, and that nobody elsewhere keeps a user out."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Event, get_ident

import pytest

from auth.errors import TooManyAttempts, TooManyLogins
from auth.limits import LoginLimiter, PasswordChecks
from auth.logins import DAY, NETWORKS_KEPT
from auth.repository import NETWORKS_PER_USER, UserStore
from auth.services import Services
from muster.http.service import provided
from tests.unit.auth.suite import OTHER_PASSWORD, PASSWORD, AuthSuite, Clock

HOME = "198.51.100.7"


@pytest.fixture
def limiter(clock: Clock) -> LoginLimiter:
    return LoginLimiter("3 per minute", "5 per minute", "8 per hour", clock)


@pytest.fixture
def stopped_suite(suite: AuthSuite, clock: Clock) -> AuthSuite:
    """A suite in which no time passes for the limits, however long the logins take."""
    logins = provided(suite.app, Services).logins
    logins._limiter._clock = logins._clock = clock
    return suite


def attempt(
    limiter: LoginLimiter, account: str, address: str, *, fails: bool = True, known: bool = False
) -> None:
    with limiter.attempt(account, address, lambda: known) as tried:
        tried.failed = fails


def attack(limiter: LoginLimiter, account: str) -> None:
    """Fail from everywhere until the account has no room for addresses that are not known."""
    for n in range(8):
        attempt(limiter, account, f"192.0.2.{n}")
    with pytest.raises(TooManyAttempts):
        attempt(limiter, account, "192.0.2.99")


def log_in_from(suite: AuthSuite, address: str, password: str = PASSWORD) -> int:
    headers = {"X-Forwarded-For": address}
    return suite.log_in("ana@example.com", password, headers=headers).status_code


def test_an_account_is_refused_at_one_address_until_the_oldest_failure_is_a_minute_old(
    limiter: LoginLimiter, clock: Clock
) -> None:
    for _ in range(3):
        attempt(limiter, "ana", HOME)
        clock.now += 10
    with pytest.raises(TooManyAttempts) as refused:
        attempt(limiter, "ana", HOME)
    assert refused.value.seconds == 30
    attempt(limiter, "ana", "192.0.2.9", fails=False)
    attempt(limiter, "bea", HOME, fails=False)
    clock.now += refused.value.seconds
    attempt(limiter, "ana", HOME, fails=False)


def test_an_account_is_refused_after_failures_from_everywhere(
    limiter: LoginLimiter, clock: Clock
) -> None:
    attack(limiter, "ana")
    attempt(limiter, "bea", "192.0.2.99")
    clock.now += 3600
    attempt(limiter, "ana", "192.0.2.99")


def test_failures_elsewhere_do_not_count_where_the_user_is_known(limiter: LoginLimiter) -> None:
    attack(limiter, "ana")
    attempt(limiter, "ana", HOME, fails=False, known=True)
    for _ in range(3):
        attempt(limiter, "ana", HOME, known=True)
    with pytest.raises(TooManyAttempts):
        attempt(limiter, "ana", HOME, known=True)


def test_logins_that_succeed_are_not_counted(limiter: LoginLimiter) -> None:
    for _ in range(20):
        attempt(limiter, "ana", HOME, fails=False)


def test_an_attempt_that_could_not_be_checked_is_given_back(limiter: LoginLimiter) -> None:
    for _ in range(20):
        with (
            pytest.raises(OSError, match="database"),
            limiter.attempt("ana", HOME, lambda: False),
        ):
            raise OSError("database")


def test_an_address_is_limited_over_all_accounts(limiter: LoginLimiter) -> None:
    for n in range(5):
        attempt(limiter, f"user{n}", HOME)
    with pytest.raises(TooManyAttempts):
        attempt(limiter, "ana", HOME, known=True)
    attempt(limiter, "ana", "192.0.2.2")


def test_an_ipv6_network_counts_as_one_address(limiter: LoginLimiter) -> None:
    for n in range(5):
        attempt(limiter, f"user{n}", f"2001:db8::{n}")
    with pytest.raises(TooManyAttempts):
        attempt(limiter, "ana", "2001:db8::ffff:1")
    attempt(limiter, "ana", "2001:db8:0:1::1")


def test_old_failures_are_forgotten(limiter: LoginLimiter, clock: Clock) -> None:
    for n in range(1000):
        attempt(limiter, f"user{n}", f"10.0.{n // 250}.{n % 250}")
        clock.now += 1
    assert len(limiter._per_pair._failures) == 60
    assert len(limiter._per_address._failures) == 60
    assert not limiter._per_account._in_flight


def test_memory_does_not_grow_with_what_callers_type(
    limiter: LoginLimiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth.limits._MAX_KEYS", 50)
    for n in range(200):
        attempt(limiter, f"user{n}" * 1000, f"10.0.{n}.1")
    kept = limiter._per_account._failures
    assert len(kept) == 50
    assert max(map(len, kept)) == 254


def test_parallel_guesses_do_not_pass_the_limit(limiter: LoginLimiter) -> None:
    together = Barrier(16)

    def guess(n: int) -> bool:
        together.wait()
        try:
            attempt(limiter, "ana", f"192.0.2.{n}")
        except TooManyAttempts:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(guess, range(16))) == 8


def test_parallel_good_logins_wait_for_each_other_and_all_pass(
    limiter: LoginLimiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth.limits._PATIENCE", 60)
    together = Barrier(16)

    def log_in(_: int) -> None:
        together.wait()
        attempt(limiter, "ana", HOME, fails=False)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(log_in, range(16)))


@contextmanager
def held(checks: PasswordChecks, *, is_known: bool) -> Iterator[Event]:
    """A place is taken by a check that goes on until the event is set, or the block ends."""
    taken, leave = Event(), Event()

    def hold() -> bool:
        taken.set()
        return leave.wait(60)

    with ThreadPoolExecutor(1) as caller:
        holding = caller.submit(checks.run, hold, is_known=is_known)
        assert taken.wait(60)
        yield leave
        leave.set()
        assert holding.result(60)


def test_so_many_passwords_are_checked_at_once_and_one_place_is_for_those_who_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("auth.limits._PATIENCE", 0.05)
    checks = PasswordChecks(2)
    with held(checks, is_known=False):
        with pytest.raises(TooManyLogins):
            checks.run(lambda: True, is_known=False)
        assert checks.run(lambda: True, is_known=True)
        with held(checks, is_known=True), pytest.raises(TooManyLogins):
            checks.run(lambda: True, is_known=True)
    assert checks.run(lambda: True, is_known=False)


def test_a_check_waits_for_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auth.limits._PATIENCE", 60)
    checks = PasswordChecks(2)
    with held(checks, is_known=False) as leave, ThreadPoolExecutor(1) as caller:
        coming = caller.submit(checks.run, lambda: True, is_known=False)
        assert not coming.done()
        leave.set()
        assert coming.result(60)


def test_few_threads_hash_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auth.limits._PATIENCE", 60)
    checks, hashed = PasswordChecks(3), set()

    def check() -> bool:
        hashed.add(get_ident())
        return True

    with ThreadPoolExecutor(16) as callers:
        asked = [callers.submit(checks.run, check, is_known=False) for _ in range(64)]
        assert all(each.result(60) for each in asked)
    assert len(hashed) <= 3


@pytest.mark.parametrize("email", ["ana@example.com", "nobody@example.com"])
def test_the_eleventh_guess_is_refused_even_with_the_right_password(
    stopped_suite: AuthSuite, email: str
) -> None:
    for number, spelling in enumerate((email, email.upper()) * 5):
        wrong = stopped_suite.log_in(spelling, "wrong password")
        assert wrong.status_code == 401
        assert wrong.headers["RateLimit"].startswith(f'"logins";r={9 - number};t=600, ')
    answer = stopped_suite.log_in(email)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "600"
    # What all addresses together may do with the account is not for one of them to know.
    assert answer.headers["RateLimit"].count(";r=") == 2
    assert answer.headers["RateLimit"].startswith('"logins";r=0;t=600, "address-logins";r=')
    assert answer.headers["RateLimit-Policy"].startswith('"logins";q=10;w=600, "address-logins";q=')
    assert stopped_suite.log_in("admin@example.com").status_code == 200


def fail_from_everywhere(suite: AuthSuite) -> None:
    """Ten wrong logins from each of ten addresses, which is all that an hour has room for."""
    for n in range(100):
        assert log_in_from(suite, f"192.0.2.{n // 10}", "wrong password") == 401


def test_who_fails_elsewhere_does_not_keep_the_user_out(stopped_suite: AuthSuite) -> None:
    assert log_in_from(stopped_suite, HOME) == 200
    fail_from_everywhere(stopped_suite)
    assert log_in_from(stopped_suite, "192.0.2.200") == 429
    assert log_in_from(stopped_suite, HOME) == 200


def test_an_address_is_not_known_for_ever_nor_after_a_change_of_the_password(
    stopped_suite: AuthSuite, clock: Clock
) -> None:
    assert log_in_from(stopped_suite, HOME) == 200
    clock.now += NETWORKS_KEPT + 1
    fail_from_everywhere(stopped_suite)
    assert log_in_from(stopped_suite, HOME) == 429
    clock.now += 3600
    assert log_in_from(stopped_suite, HOME) == 200
    path = f"/v1/users/{stopped_suite.ana.id}"
    stopped_suite.call("PATCH", path, {"password": OTHER_PASSWORD})
    fail_from_everywhere(stopped_suite)
    assert log_in_from(stopped_suite, HOME, OTHER_PASSWORD) == 429


def test_so_many_networks_are_kept_of_a_user_and_none_of_one_who_is_deleted(
    suite: AuthSuite, store: UserStore
) -> None:
    ana = suite.ana.id
    with store.writing() as users:
        for n in range(NETWORKS_PER_USER + 3):
            users.see(ana, f"10.0.0.{n}", n * DAY)
        users.see(ana, "10.0.0.20", 1000 * DAY)
    with store.reading() as users:
        assert users.seen_from(ana, "10.0.0.2") is None
        assert users.seen_from(ana, "10.0.0.3") == 3 * DAY
        assert users.seen_from(ana, "10.0.0.20") == 1000 * DAY
    suite.call("DELETE", f"/v1/users/{ana}")
    with store.reading() as users:
        assert users.seen_from(ana, "10.0.0.20") is None


def test_the_address_is_the_one_that_the_gateway_forwards(stopped_suite: AuthSuite) -> None:
    def guess(n: int, forwarded: str, peer: str = "127.0.0.1") -> int:
        answer = stopped_suite.log_in(
            f"user{n}@example.com",
            "wrong",
            headers={"X-Forwarded-For": forwarded},
            environ_base={"REMOTE_ADDR": peer},
        )
        return answer.status_code

    # What a caller claims stands before what the gateway adds.
    answers = [guess(n, f"198.51.100.{n}, 192.0.2.1") for n in range(61)]
    assert answers == [401] * 60 + [429]
    assert guess(0, "192.0.2.2") == 401
    assert guess(0, "192.0.2.1", "::ffff:127.0.0.1") == 429


@pytest.mark.parametrize("peer", ["192.0.2.80", "10.0.0.1", "2001:db8::1", ""])
def test_nobody_but_the_gateway_says_where_a_login_comes_from(
    stopped_suite: AuthSuite, peer: str
) -> None:
    def guess(n: int) -> int:
        answer = stopped_suite.log_in(
            f"user{n}@example.com",
            "wrong",
            headers={"X-Forwarded-For": f"198.51.100.{n}"},
            environ_base={"REMOTE_ADDR": peer},
        )
        return answer.status_code

    assert [guess(n) for n in range(61)] == [401] * 60 + [429]
