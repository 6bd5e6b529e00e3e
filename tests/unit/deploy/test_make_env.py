import re
import stat
from pathlib import Path

from deploy.make_env import EXAMPLE, with_secrets, write_env


def values(text: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def test_each_name_without_a_value_gets_a_secret_of_its_own() -> None:
    before = values(EXAMPLE.read_text("utf-8"))
    after = values(with_secrets(EXAMPLE.read_text("utf-8")))
    made = [after[name] for name, value in before.items() if not value]
    assert len(set(made)) == len(made) > 8
    assert all(re.fullmatch("[0-9a-f]{48}", secret) for secret in made)


def test_what_has_a_value_keeps_it() -> None:
    before = values(EXAMPLE.read_text("utf-8"))
    after = values(with_secrets(EXAMPLE.read_text("utf-8")))
    assert {name: after[name] for name, value in before.items() if value} == {
        name: value for name, value in before.items() if value
    }


def test_the_file_can_be_read_by_nobody_else(tmp_path: Path) -> None:
    assert write_env(tmp_path / ".env")
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_a_file_that_exists_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("MUSTER_ADMIN_PASSWORD=mine\n")
    assert not write_env(path)
    assert path.read_text() == "MUSTER_ADMIN_PASSWORD=mine\n"
