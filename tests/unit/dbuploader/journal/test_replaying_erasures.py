"""After a restore the tombstones that were kept apart erase again what came back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbuploader.journal.replay_erasures import main, replay, tombstones
from muster.contracts.strict_json import Unreadable
from muster.contracts.uploads import State
from tests.unit.dbuploader.journal.test_erasing_rows import NAME, hires, holding
from tests.unit.dbuploader.suite import Suite
from tests.unit.dbuploader.uploads.test_erasing_files import erase, is_stored


@pytest.fixture
def restored(tmp_path: Path, unhurried: None) -> Iterator[Suite]:
    """A suite as it was before any erasure."""
    home = tmp_path / "restored"
    home.mkdir()
    suite = Suite(home, f"sqlite:///{home}/employment.db")
    suite.seed()
    suite.load("hired_employees", hires(NAME, "Bo"))
    yield suite
    suite.close()


def test_what_a_backup_brought_back_is_erased_again(suite: Suite, restored: Suite) -> None:
    suite.load("hired_employees", hires(NAME))
    erasure = erase(suite)
    lines = [*tombstones(suite.database)]
    [told] = map(json.loads, lines)
    assert (told["table"], told["key"], told["erasure"]) == ("hired_employees", 7, erasure.id)
    assert told["by"] == "eva@example.com"
    assert NAME not in lines[0]

    assert replay(lines, restored.database, restored.store) == 1

    [waiting] = restored.store.unpublished(100)[-1:]
    restored.processor().process_up_to(waiting.id)
    assert restored.store.get(waiting.id).state is State.COMPLETED
    assert [row[1] for row in restored.rows("hired_employees")] == ["Bo"]
    assert (holding(restored), is_stored(restored)) == (set(), False)


def test_what_the_database_knows_is_not_erased_again(suite: Suite) -> None:
    suite.load("hired_employees", hires(NAME))
    erase(suite)
    suite.load("hired_employees", hires("Later"))
    assert replay(tombstones(suite.database), suite.database, suite.store) == 0


def test_nothing_is_accepted_of_a_file_that_cannot_be_read(suite: Suite, restored: Suite) -> None:
    suite.load("hired_employees", hires(NAME))
    erase(suite)
    lines = [*tombstones(suite.database), "{}"]
    before = len(restored.store.unpublished(100))
    with pytest.raises(Unreadable):
        replay(lines, restored.database, restored.store)
    assert len(restored.store.unpublished(100)) == before


def test_it_is_a_command(
    restored: Suite,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    erase(restored)
    for name, value in restored.urls.items():
        monkeypatch.setenv(f"MUSTER_{name.upper()}", value)
    main([])
    [line] = [each for each in capsys.readouterr().out.splitlines() if each.startswith('{"table"')]
    kept = tmp_path / "tombstones.jsonl"
    kept.write_text(line)
    main([str(kept)])
    assert "erasures accepted again: 0" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([str(tmp_path / "gone")])
