"""New passwords that are easy to guess are refused, with the reason and what to do."""

import secrets
from time import thread_time

import pytest

from auth.accounts import Accounts
from auth.errors import WeakPassword
from auth.passwords import MAX_LENGTH, SCORED_CHARACTERS, weakness
from auth.repository import UserStore
from auth.services import Services
from muster.http.service import provided
from tests.unit.auth.suite import PASSWORD, AuthSuite, new_user

ANA = "ana@example.com"
WEAK = (
    "password1234",
    "123456789012",
    "qwertyuiop12",
    "aaaaaaaaaaaaaaaa",
    "ana@example.com1",
    "example.com2021",
    "muster-2021",
    "Password1!Password1!",
)


@pytest.mark.parametrize("password", WEAK)
def test_a_password_that_is_easy_to_guess_is_refused_with_the_reason(password: str) -> None:
    assert (weakness(password, ANA) or "").startswith("This password is easy to guess. ")


def test_the_reason_names_what_is_wrong_and_what_to_do() -> None:
    assert weakness("password1234", ANA) == (
        "This password is easy to guess. This is a very common password. "
        "Add another word or two. Uncommon words are better."
    )
    assert "It has parts of the email address" in (weakness("ana@example.com1", ANA) or "")


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "tangerine ladder fjord",
        "wettervogel küche",
        "正しい馬の電池ホチキス留め",
        "x7!kQ2v$9zLm",
    ],
)
def test_there_are_no_rules_of_composition(password: str) -> None:
    assert weakness(password, ANA) is None


def test_what_is_generated_is_never_refused() -> None:
    made = (secrets.token_urlsafe(18), secrets.token_hex(24))
    assert [weakness(password, "admin@example.com") for password in made] == [None, None]


def seconds_for(password: str) -> float:
    started = thread_time()
    weakness(password, ANA)
    return thread_time() - started


def test_the_estimate_takes_no_longer_however_long_the_password_is() -> None:
    # Each character may stand for a letter in the substitutions that zxcvbn tries one by one.
    odd = ("4@8({[<3|69&#!1i|0$5+7%2/" * 41)[:MAX_LENGTH]
    assert seconds_for(odd) < 5 * seconds_for(odd[:SCORED_CHARACTERS]) + 1


@pytest.mark.parametrize("password", WEAK[:2])
def test_a_weak_password_is_refused_wherever_one_is_set(suite: AuthSuite, password: str) -> None:
    token = suite.token_of(suite.ana)
    new = {"email": "eva@example.com", "password": password, "permissions": []}
    change = {"current_password": PASSWORD, "new_password": password}
    for answer, field in (
        (suite.call("POST", "/v1/users", new), "password"),
        (suite.call("PATCH", f"/v1/users/{suite.ana.id}", {"password": password}), "password"),
        (suite.call("POST", "/v1/me/password", change, token=token), "new_password"),
    ):
        assert answer.status_code == 422
        assert answer.json is not None
        ((named, message),) = [(each["field"], each["message"]) for each in answer.json["errors"]]
        assert named == field
        assert "easy to guess" in message
        assert password not in answer.text
    assert suite.log_in("eva@example.com", password).status_code == 401
    assert suite.call("GET", "/v1/me", token=token).status_code == 200
    assert suite.log_in("ana@example.com").status_code == 200


def test_eleven_characters_are_too_few(suite: AuthSuite) -> None:
    new = {"email": "eva@example.com", "permissions": [], "password": "x7!kQ2v$9zL"}
    answer = suite.call("POST", "/v1/users", new)
    assert answer.status_code == 422
    assert "12 to 1024 characters" in answer.text
    assert suite.call("POST", "/v1/users", {**new, "password": "x7!kQ2v$9zLm"}).status_code == 201


def test_a_password_of_before_goes_on(suite: AuthSuite, store: UserStore) -> None:
    accounts = provided(suite.app, Services).accounts
    with store.writing() as users:
        users.replace_hash(suite.ana, accounts._passwords.hash("12345678"))
    assert suite.log_in("ana@example.com", "12345678").status_code == 200


def test_no_weak_password_is_set_from_the_shell_either(accounts: Accounts) -> None:
    with pytest.raises(WeakPassword, match="easy to guess"):
        accounts.add(new_user("eva@example.com", password="password1234"))
