"""How passwords are kept and checked."""

from statistics import median
from time import process_time

import pytest
from argon2 import PasswordHasher, extract_parameters

from auth.accounts import Accounts
from auth.app import create_app
from auth.audit import AuditLog
from auth.errors import WrongCredentials
from auth.limits import LoginLimiter, PasswordChecks
from auth.logins import Logins
from auth.passwords import Passwords, owasp_hasher
from auth.repository import UserStore
from auth.services import Services
from auth.settings import Settings
from auth.users import UserChanges
from muster.http.service import provided
from tests.unit.auth.suite import PASSWORD, PlainHasher, new_user, populate


def logins_with(store: UserStore, passwords: Passwords) -> Logins:
    accounts = Accounts(store, passwords, token_seconds=60)
    limiter = LoginLimiter(*3 * ("1000 per minute",))
    return Logins(store, accounts, passwords, limiter, PasswordChecks(2), AuditLog(store, 365))


def test_a_password_is_kept_as_argon2id_with_the_parameters_of_owasp() -> None:
    kept = Passwords(owasp_hasher()).hash(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in kept


def test_the_same_password_is_never_kept_alike() -> None:
    passwords = Passwords(owasp_hasher())
    assert passwords.hash(PASSWORD) != passwords.hash(PASSWORD)


@pytest.mark.parametrize("email", ["ana@example.com", "disabled@example.com", "nobody@example.com"])
def test_every_login_checks_one_hash(store: UserStore, accounts: Accounts, email: str) -> None:
    hasher = PlainHasher()
    logins = logins_with(store, Passwords(hasher))
    accounts.add(new_user("ana@example.com"))
    disabled = accounts.add(new_user("disabled@example.com"))
    accounts.change(disabled.id, UserChanges(disabled=True))
    with pytest.raises(WrongCredentials):
        logins.log_in(email, "wrong password", "192.0.2.1")
    assert hasher.verified == 1


def test_an_unknown_user_takes_as_long_as_a_wrong_password(
    settings: Settings, store: UserStore
) -> None:
    app = create_app(settings)
    suite = populate(app)
    assert suite.ana.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")

    # Of this process, in which another thread hashes: not of what else the machine does.
    def seconds(email: str) -> float:
        started = process_time()
        assert suite.log_in(email, "wrong password").status_code == 401
        return process_time() - started

    pairs = [(seconds("ana@example.com"), seconds("nobody@example.com")) for _ in range(9)]
    known, unknown = (median(times) for times in zip(*pairs, strict=True))
    assert 1 / 3 < known / unknown < 3
    provided(app, Services).database.close()


def test_a_hash_of_other_parameters_is_made_anew_at_login(store: UserStore) -> None:
    weak = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    accounts = Accounts(store, weak, token_seconds=60)
    user = accounts.add(new_user("ana@example.com"))
    logins = logins_with(store, Passwords(owasp_hasher()))
    for _ in range(2):
        assert logins.log_in("ana@example.com", PASSWORD, "192.0.2.1").id == user.id
    kept = accounts.get(user.id)
    assert extract_parameters(kept.password_hash).memory_cost == 19_456
    assert kept.generation == user.generation


def test_a_hash_that_is_none_refuses_every_password(store: UserStore, accounts: Accounts) -> None:
    accounts.add(new_user("ana@example.com"))
    logins = logins_with(store, Passwords(owasp_hasher()))
    with pytest.raises(WrongCredentials):
        logins.log_in("ana@example.com", PASSWORD, "192.0.2.1")
