import stat
import subprocess
import sys
from pathlib import Path

import pytest

from embedded.errors import StartError
from embedded.home import Home


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_data_directory_is_private(tmp_path: Path) -> None:
    with Home(tmp_path / "deep" / "home") as home:
        assert mode_of(home.path) == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o777, 0o701])
def test_a_directory_of_muster_that_is_open_to_others_is_closed(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "home"
    path.mkdir()
    path.chmod(mode)
    for _ in range(2):
        with Home(path) as home:
            assert mode_of(home.path) == 0o700
        path.chmod(mode)


def test_a_directory_with_other_things_that_is_open_to_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "home"
    path.mkdir()
    path.chmod(0o755)
    (path / "thesis.txt").touch()
    with pytest.raises(StartError, match=r"mode 0755.*chmod 700, or set MUSTER_HOME"):
        Home(path)
    assert mode_of(path) == 0o755
    path.chmod(0o700)
    with Home(path):
        pass


def test_a_generated_password_stays_and_nobody_else_can_read_it(home: Home) -> None:
    password = home.admin_password()
    assert password is not None
    assert len(password) >= 24
    assert home.admin_password() == password
    assert mode_of(home.admin_password_file) == 0o600


def test_no_password_is_generated_for_an_administrator_who_has_one(home: Home) -> None:
    home.remember_admin()
    assert home.admin_password() is None
    assert not home.admin_password_file.exists()


def test_an_unwritable_home_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"^.*file/home can't be written[^\n]*MUSTER_HOME[^\n]*$"):
        Home(tmp_path / "file" / "home")


def test_two_suites_can_not_run_on_one_home(home: Home) -> None:
    script = (
        "import sys; from pathlib import Path;"
        "from embedded.home import Home; Home(Path(sys.argv[1]))"
    )
    second = subprocess.run(
        [sys.executable, "-c", script, str(home.path)], capture_output=True, text=True, check=False
    )
    assert second.returncode != 0
    assert f"Another muster runs on {home.path}" in second.stderr
