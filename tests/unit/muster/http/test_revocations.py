"""Revoked tokens end within 5 seconds, whatever auth does."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from muster.http.revocations import Revocations, RevocationsUnavailable, Revoked, TokenCheck
from muster.http.tokens import InvalidToken, KeysUnavailable, Principal, TokenVerifier


class Auth:
    """Auth's list, and the time."""

    def __init__(self) -> None:
        self.time = 100.0
        self.revoked: dict[str, int | None] = {}
        self.ended: set[str] = set()
        self.down = False
        self.asked = 0
        self.revocations = Revocations(self.fetch, lambda: self.time)

    def fetch(self) -> Revoked:
        self.asked += 1
        if self.down:
            raise RevocationsUnavailable
        return Revoked(dict(self.revoked), frozenset(self.ended))

    def check(self, generation: int = 1, token_id: str = "t1") -> None:
        self.revocations.check(ana(generation, token_id))


def ana(generation: int = 1, token_id: str = "t1") -> Principal:
    return Principal("ana", "ana@example.com", frozenset(), generation, token_id, 1)


@pytest.fixture
def auth() -> Auth:
    return Auth()


def test_a_token_that_is_not_listed_holds(auth: Auth) -> None:
    auth.revoked = {"bob": None}
    auth.check()


def test_a_token_of_an_older_generation_is_over(auth: Auth) -> None:
    auth.revoked = {"ana": 2}
    auth.check(generation=2)
    with pytest.raises(InvalidToken):
        auth.check(generation=1)


def test_no_token_of_a_disabled_user_holds(auth: Auth) -> None:
    auth.revoked = {"ana": None}
    with pytest.raises(InvalidToken):
        auth.check(generation=99)


def test_a_disabled_user_is_out_within_five_seconds(auth: Auth) -> None:
    auth.check()
    auth.revoked = {"ana": None}
    auth.time += 2.1
    with pytest.raises(InvalidToken):
        auth.check()


def test_the_list_is_not_asked_for_at_every_request(auth: Auth) -> None:
    for _ in range(10):
        auth.check()
        auth.time += 0.1
    assert auth.asked == 1


def test_while_auth_is_away_the_list_is_believed_for_five_seconds(auth: Auth) -> None:
    auth.check()
    auth.down = True
    auth.time += 5
    auth.check()
    auth.time += 0.1
    with pytest.raises(KeysUnavailable):
        auth.check()
    auth.down = False
    auth.check()


def test_nobody_is_believed_before_the_first_list(auth: Auth) -> None:
    auth.down = True
    with pytest.raises(KeysUnavailable):
        auth.check()


def test_the_age_counts_from_when_the_list_was_asked_for(auth: Auth) -> None:
    def slow() -> Revoked:
        auth.time += 6
        return Revoked({}, frozenset())

    revocations = Revocations(slow, lambda: auth.time)
    with pytest.raises(KeysUnavailable):
        revocations.check(ana())


def test_one_request_asks_while_the_others_go_on(auth: Auth) -> None:
    auth.check()
    auth.time += 3
    asking, answer = threading.Event(), threading.Event()
    fetch = auth.fetch

    def slow() -> Revoked:
        asking.set()
        assert answer.wait(60)
        return fetch()

    auth.revocations._fetch = slow
    with ThreadPoolExecutor(1) as pool:
        refreshing = pool.submit(auth.check)
        assert asking.wait(60)
        auth.check()
        answer.set()
        refreshing.result(60)
    assert auth.asked == 2


class CountedLock:
    """A lock that counts those who have come for it."""

    def __init__(self) -> None:
        self.came = threading.Semaphore(0)
        self._lock = threading.Lock()

    def acquire(self, *, blocking: bool) -> bool:
        self.came.release()
        return self._lock.acquire(blocking)

    def release(self) -> None:
        self._lock.release()


def test_those_who_waited_for_a_try_that_failed_do_not_try_one_after_another(auth: Auth) -> None:
    lock, all_came = CountedLock(), threading.Event()

    def hang() -> Revoked:
        auth.asked += 1
        assert all_came.wait(60)
        raise RevocationsUnavailable

    auth.revocations._fetch = hang
    auth.revocations._refreshing = cast(threading.Lock, lock)
    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(auth.check) for _ in range(4)]
        for _ in asking:
            assert lock.came.acquire(timeout=60)
        all_came.set()
        for turned_away in asking:
            with pytest.raises(KeysUnavailable):
                turned_away.result(60)
    assert auth.asked == 1


class AnaVerifier:
    """Believes every token to be Ana's."""

    def verify(self, _token: str) -> Principal:
        return ana()


def test_a_token_that_is_genuine_but_revoked_is_refused(auth: Auth) -> None:
    check = TokenCheck(cast(TokenVerifier, AnaVerifier()), auth.revocations)
    assert check.verify("token").id == "ana"
    auth.revoked = {"ana": None}
    auth.time += 2.1
    with pytest.raises(InvalidToken):
        check.verify("token")


def test_a_token_that_was_signed_out_is_over_and_the_users_others_hold(auth: Auth) -> None:
    auth.ended = {"t1"}
    with pytest.raises(InvalidToken):
        auth.check(token_id="t1")
    auth.check(token_id="t2")


def test_a_token_that_was_signed_out_here_is_over_before_the_next_list(auth: Auth) -> None:
    auth.check()
    auth.revocations.end(ana())
    auth.ended = {"t1"}
    with pytest.raises(InvalidToken):
        auth.check()
    auth.check(token_id="t2")
    assert auth.asked == 1
    for _ in range(10):
        auth.time += 1
        with pytest.raises(InvalidToken):
            auth.check()


def test_what_ended_here_is_kept_no_longer_than_a_list_may_be_used(auth: Auth) -> None:
    for n in range(1000):
        auth.revocations.end(ana(token_id=f"t{n}"))
        auth.time += 1
    assert len(auth.revocations._ended_here) == 6
