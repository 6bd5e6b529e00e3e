"""How many logins may fail, and how many passwords are checked at once.

Failures are counted in moving windows: of an account from one address, of an address, and of an
account from everywhere. The last is not for addresses from which the account's user has logged in
before, so nobody elsewhere can lock them out. docs/security.md argues for it.

The `limits` library parses the setting but can't count here: it can't take back an attempt that
succeeded, its memory storage never drops a key, and keys are whatever a caller types. Each process
counts for itself: with N replicas, up to N times as many attempts may fail.
"""

import ipaddress
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from limits import RateLimitItem, parse

from auth.errors import TooManyAttempts, TooManyLogins
from auth.users import EMAIL_LENGTH
from muster.http.rate_limits import RateLimit, announce

_PATIENCE = 5.0
"""Seconds to wait for an attempt in flight to end."""
_MAX_KEYS = 100_000
"""Keys that a window holds; beyond, those that have not failed for longest are forgotten."""


@dataclass
class LoginAttempt:
    """A login being tried; it counts as failed from when `failed` is set."""

    failed: bool = False


class _Window:
    """The failures of one limit, by key, the latest last; and the attempts in flight."""

    def __init__(self, limit: RateLimitItem) -> None:
        self._amount = limit.amount
        self._seconds = limit.get_expiry()
        self._failures: dict[str, deque[float]] = {}
        self._in_flight: Counter[str] = Counter()

    def wait(self, key: str, now: float) -> float:
        """Seconds until the failures leave room for an attempt; 0 when they do."""
        failures = self._recent(key, now)
        if len(failures) < self._amount:
            return 0
        return failures[0] + self._seconds - now

    def has_room(self, key: str, now: float) -> bool:
        """Whether the limit holds even if every attempt in flight fails."""
        return len(self._recent(key, now)) + self._in_flight[key] < self._amount

    def standing(self, name: str, key: str, now: float) -> RateLimit:
        """What is left of the limit, which is called so to its callers."""
        failures = self._recent(key, now)
        since = failures[0] if failures else now
        return RateLimit(
            name,
            self._amount,
            self._amount - len(failures),
            self._seconds,
            math.ceil(since + self._seconds - now),
        )

    def enter(self, key: str) -> None:
        self._in_flight[key] += 1

    def leave(self, key: str) -> None:
        self._in_flight[key] -= 1
        if not self._in_flight[key]:
            del self._in_flight[key]

    def fail(self, key: str, now: float) -> None:
        failures = self._recent(key, now)
        failures.append(now)
        self._failures.pop(key, None)
        self._failures[key] = failures
        self._forget(now)

    def _recent(self, key: str, now: float) -> deque[float]:
        failures = self._failures.get(key) or deque()
        while failures and failures[0] <= now - self._seconds:
            failures.popleft()
        return failures

    def _forget(self, now: float) -> None:
        while self._failures:
            key, failures = next(iter(self._failures.items()))
            is_recent = failures and failures[-1] > now - self._seconds
            if is_recent and len(self._failures) <= _MAX_KEYS:
                break
            del self._failures[key]


Key = tuple[_Window, str]


class LoginLimiter:
    """Refuses logins after too many failed. Safe to share between threads.

    Attempts in flight count as if they failed, so that parallel guesses can't pass the limit; where
    only they stand in the way, an attempt waits for them, so that parallel good logins all pass.
    `clock` gives seconds, of any origin.
    """

    def __init__(
        self,
        per_account_and_address: str,
        per_address: str,
        per_account: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_pair = _Window(parse(per_account_and_address))
        self._per_address = _Window(parse(per_address))
        self._per_account = _Window(parse(per_account))
        self._clock = clock
        self._changed = threading.Condition()

    @contextmanager
    def attempt(
        self, account: str, address: str, is_known: Callable[[], bool]
    ) -> Iterator[LoginAttempt]:
        """Try a login within; raises TooManyAttempts instead, whatever the password may be.

        `is_known` says whether the user of the account has logged in from `address` before. It is
        asked only where the account has no room left for addresses that are not.
        """
        keys = self._keys(account[:EMAIL_LENGTH], network_of(address), is_known)
        with self._changed:
            self._announce(keys)
            self._await_room(keys)
            for window, key in keys:
                window.enter(key)
        attempt = LoginAttempt()
        try:
            yield attempt
        finally:
            with self._changed:
                for window, key in keys:
                    window.leave(key)
                    if attempt.failed:
                        window.fail(key, self._clock())
                self._announce(keys)
                self._changed.notify_all()

    def _announce(self, keys: list[Key]) -> None:
        # What others do with the account, this caller is not told.
        for window, name in ((self._per_pair, "logins"), (self._per_address, "address-logins")):
            for each, key in keys:
                if each is window:
                    announce(window.standing(name, key, self._clock()))

    def _keys(self, account: str, network: str, is_known: Callable[[], bool]) -> list[Key]:
        own = [(self._per_pair, f"{network} {account}"), (self._per_address, network)]
        with self._changed:
            has_room = self._per_account.has_room(account, self._clock())
        return own if not has_room and is_known() else [*own, (self._per_account, account)]

    def _await_room(self, keys: list[Key]) -> None:
        while True:
            now = self._clock()
            wait = max(window.wait(key, now) for window, key in keys)
            if wait > 0:
                raise TooManyAttempts(math.ceil(wait))
            if all(window.has_room(key, now) for window, key in keys):
                return
            if not self._changed.wait(_PATIENCE):
                raise TooManyAttempts(1)


class GuessLimiter:
    """Refuses further guesses of keys and one-time tokens from an address, after too many.

    With 256 random bits none is ever right: this spares the database. Safe to share between
    threads. Callers know the limit by its `name`.
    """

    def __init__(
        self, name: str, per_address: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._window = _Window(parse(per_address))
        self._clock = clock
        self._lock = threading.Lock()

    def check(self, address: str) -> None:
        """Return if a guess may be made; raises TooManyAttempts."""
        with self._lock:
            self._announce(address)
            wait = self._window.wait(network_of(address), self._clock())
        if wait > 0:
            raise TooManyAttempts(math.ceil(wait))

    def count(self, address: str) -> None:
        """Count a guess."""
        with self._lock:
            self._window.fail(network_of(address), self._clock())
            self._announce(address)

    def _announce(self, address: str) -> None:
        announce(self._window.standing(self._name, network_of(address), self._clock()))


class PasswordChecks:
    """Checks so many passwords at once: each takes 19 MiB and a processor.

    One of the `places`, at least 2, is kept for logins from addresses that their users have logged
    in from before, so a flood from elsewhere does not hold them up.

    The checks have threads of their own: of every thread that has ever hashed, the allocator keeps
    the memory.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._changed = threading.Condition()
        self._threads = ThreadPoolExecutor(places, thread_name_prefix="password")

    def run(self, check: Callable[[], bool], *, is_known: bool) -> bool:
        """What `check` says; raises TooManyLogins if no place is free for long."""
        kept = 0 if is_known else 1
        with self._changed:
            if not self._changed.wait_for(lambda: self._free > kept, _PATIENCE):
                raise TooManyLogins
            self._free -= 1
        try:
            return self._threads.submit(check).result()
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()


def network_of(address: str) -> str:
    """What one caller can send from: an IPv4 address, or an IPv6 network of 64 bits."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.IPv6Network((int(ip), 64), strict=False))
