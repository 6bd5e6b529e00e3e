from pathlib import Path

import pytest

from embedded.backends import check_backends
from embedded.errors import StartError


@pytest.mark.parametrize(
    "variable",
    [
        "MUSTER_BROKER_URL",
        "MUSTER_CSV_STORE_URL",
        "MUSTER_FILE_STORE_URL",
        "MUSTER_AUTH_DATABASE_URL",
        "MUSTER_EMPLOYMENT_DATABASE_URL",
        "MUSTER_SMTP_URL",
    ],
)
def test_an_unknown_scheme_is_told_before_anything_starts(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(variable, "carrier-pigeon://user:secret@coop")
    with pytest.raises(StartError, match="begins with 'carrier-pigeon'; known are") as caught:
        check_backends()
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "home").exists()


def test_the_embedded_default_is_there_and_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSTER_HOME", str(tmp_path / "home"))
    check_backends()
    assert not (tmp_path / "home").exists()
