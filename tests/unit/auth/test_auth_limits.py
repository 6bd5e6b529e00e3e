"""How many logins may fail."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from auth.errors import TooManyAttempts
from auth.limits import LoginLimiter
from tests.unit.auth.suite import AuthSuite, Clock


@pytest.fixture
def limiter(clock: Clock) -> LoginLimiter:
    return LoginLimiter("3 per minute", "5 per minute", clock)


@pytest.fixture
def stopped_suite(suite: AuthSuite, clock: Clock) -> AuthSuite:
    """A suite in which no time passes for the limits, however long the logins take."""
    suite.app.extensions["logins"]._limiter._clock = clock
    return suite


def attempt(limiter: LoginLimiter, account: str, address: str, *, fails: bool = True) -> None:
    with limiter.attempt(account, address) as tried:
        tried.failed = fails


def test_a_limited_account_is_refused_until_the_oldest_failure_is_a_minute_old(
    limiter: LoginLimiter, clock: Clock
) -> None:
    for n in range(3):
        attempt(limiter, "ana", f"192.0.2.{n}")
        clock.now += 10
    with pytest.raises(TooManyAttempts) as refused:
        attempt(limiter, "ana", "192.0.2.9")
    assert refused.value.seconds == 30
    clock.now += refused.value.seconds
    attempt(limiter, "ana", "192.0.2.9", fails=False)
    attempt(limiter, "ana", "192.0.2.9")
    with pytest.raises(TooManyAttempts):
        attempt(limiter, "ana", "192.0.2.9")


def test_logins_that_succeed_are_not_counted(limiter: LoginLimiter) -> None:
    for _ in range(20):
        attempt(limiter, "ana", "192.0.2.1", fails=False)


def test_an_attempt_that_could_not_be_checked_is_given_back(limiter: LoginLimiter) -> None:
    for _ in range(20):
        with pytest.raises(OSError, match="database"), limiter.attempt("ana", "192.0.2.1"):
            raise OSError("database")


def test_an_address_is_limited_over_all_accounts(limiter: LoginLimiter) -> None:
    for n in range(5):
        attempt(limiter, f"user{n}", "192.0.2.1")
    with pytest.raises(TooManyAttempts):
        attempt(limiter, "ana", "192.0.2.1")
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
    assert len(limiter._per_account._failures) == 60
    assert len(limiter._per_address._failures) == 60
    assert not limiter._per_account._in_flight


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
        assert sum(pool.map(guess, range(16))) == 3


def test_parallel_good_logins_wait_for_each_other_and_all_pass(
    limiter: LoginLimiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auth.limits._PATIENCE", 60)
    together = Barrier(16)

    def log_in(_: int) -> None:
        together.wait()
        attempt(limiter, "ana", "192.0.2.1", fails=False)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(log_in, range(16)))


@pytest.mark.parametrize("email", ["ana@example.com", "nobody@example.com"])
def test_the_eleventh_guess_is_refused_even_with_the_right_password(
    stopped_suite: AuthSuite, email: str
) -> None:
    for spelling in (email, email.upper()) * 5:
        assert stopped_suite.log_in(spelling, "wrong password").status_code == 401
    answer = stopped_suite.log_in(email)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "60"
    assert stopped_suite.log_in("admin@example.com").status_code == 200


def test_the_address_is_the_one_that_the_gateway_forwards(stopped_suite: AuthSuite) -> None:
    def guess(n: int, forwarded: str) -> int:
        headers = {"X-Forwarded-For": forwarded}
        answer = stopped_suite.log_in(f"user{n}@example.com", "wrong", headers=headers)
        return answer.status_code

    # What a caller claims stands before what the gateway adds.
    answers = [guess(n, f"198.51.100.{n}, 192.0.2.1") for n in range(61)]
    assert answers == [401] * 60 + [429]
    assert guess(0, "192.0.2.2") == 401
