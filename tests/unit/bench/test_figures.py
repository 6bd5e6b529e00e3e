import pytest

from bench.figures import Comparison, Figure, Series, at_least, at_most, rounded

OURS = Series("s", (5.0, 4.0, 6.0))
OTHER = Series("s", (2.0, 2.0, 8.0))


def test_a_series_is_told_by_its_median_and_its_spread() -> None:
    assert str(OURS) == "5.00 s (4.00 to 6.00)"


def test_one_run_has_no_spread() -> None:
    assert str(Series("MiB", (1234.5,))) == "1,234 MiB"


@pytest.mark.parametrize(
    ("comparison", "result"),
    [
        (Comparison.VALUE, 5.0),
        (Comparison.RATIO, 2.5),
        (Comparison.TIMES, 0.4),
        (Comparison.MORE, 3.0),
    ],
)
def test_a_result_is_of_the_medians(comparison: Comparison, result: float) -> None:
    assert Figure("load", OURS, OTHER, comparison).result == result


def test_a_comparison_with_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to compare 'load' with"):
        _ = Figure("load", OURS, comparison=Comparison.RATIO).result


@pytest.mark.parametrize(
    ("bound", "met"), [(2.4, False), (2.4999, False), (2.5, True), (2.6, True)]
)
def test_a_target_is_met_at_its_bound_and_not_beyond(bound: float, met: bool) -> None:
    figure = Figure("load", OURS, OTHER, Comparison.RATIO, at_most(bound))
    assert figure.met is met


def test_a_floor_is_met_from_above() -> None:
    assert Figure("load", OURS, target=at_least(5)).met is True
    assert Figure("load", OURS, target=at_least(5.1)).met is False


def test_without_a_target_nothing_is_met_or_missed() -> None:
    assert Figure("load", OURS).met is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0123, "0.012"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (-12.34, "-12.3"),
        (123.4, "123"),
        (235980.2, "235,980"),
    ],
)
def test_numbers_are_rounded_to_be_read(value: float, text: str) -> None:
    assert rounded(value) == text
