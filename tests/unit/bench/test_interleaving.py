import pytest

from bench.interleaving import interleaved


def test_contestants_take_turns(capsys: pytest.CaptureFixture[str]) -> None:
    turns: list[str] = []

    def contestant(name: str) -> int:
        turns.append(name)
        return len(turns)

    found = interleaved(2, {"raw": lambda: contestant("raw"), "ours": lambda: contestant("ours")})

    assert turns == ["raw", "ours", "raw", "ours"]
    assert found == {"raw": [1, 3], "ours": [2, 4]}
    assert "2/2 ours: 4" in capsys.readouterr().err
