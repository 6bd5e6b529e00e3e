"""What an access key looks like."""

import re

import pytest

from muster.http.access_keys import hash_of, is_key, is_well_formed, new_key


def test_a_key_can_be_found_by_its_form_and_none_is_made_twice() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch("muster_[0-9A-Za-z]{49}", key) for key in keys)
    assert all(is_key(key) and is_well_formed(key) for key in keys)


@pytest.mark.parametrize("random", [0, 2**256 - 1])
def test_all_256_bits_fit(random: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muster.http.access_keys.secrets.randbits", lambda _: random)
    assert len(new_key()) == 56
    assert is_well_formed(new_key())


def test_a_key_with_a_slip_is_none() -> None:
    key = new_key()
    for place in range(len(key)):
        slip = "b" if key[place] == "a" else "a"
        assert not is_well_formed(key[:place] + slip + key[place + 1 :])
    assert not any(map(is_well_formed, (key[:-1], f"{key}0", f"{key}\n", key.upper(), "")))


def test_what_is_kept_of_a_key_is_its_sha_256() -> None:
    assert hash_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
