"""Whatever a file holds: every row is counted once, and the tables hold what the counts say."""

from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.contracts.uploads import State, Upload
from tests.unit.dbuploader.suite import Suite

KEYS = st.integers(0, 6)
CELLS = st.tuples(
    KEYS.map(str),
    st.sampled_from(["Ana", "Bo", "", '"Quo', "Cy\x00"]),
    st.sampled_from(["2021-07-27T16:02:08Z", "2022-01-01T00:00:00Z", "2021-13-01T00:00:00Z"]),
    st.sampled_from(["1", "2", "9", ""]),
    st.sampled_from(["1", "3", "8", "x"]),
)
LINES = st.one_of(CELLS.map(",".join), st.sampled_from(["", "1,2", "1,a,b,c,d,e", "\ufffe"]))
GOOD_LINES = st.builds(
    "{},{},{},{},{}".format,
    st.integers(1, 6),
    st.sampled_from(["Ana", "Bo"]),
    st.sampled_from(["2021-07-27T16:02:08Z", "2022-01-01T00:00:00Z"]),
    st.sampled_from([1, 2]),
    st.sampled_from([1, 3]),
)
FILES = st.lists(st.one_of(GOOD_LINES, LINES), min_size=1, max_size=12).map("\n".join)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["upsert", "insert"]),
        "max_rejects": st.integers(0, 3),
        "dry_run": st.booleans(),
    },
)


@pytest.mark.hypothesis
def test_rows_are_conserved(suite: Suite) -> None:
    @given(content=FILES, options=OPTIONS, reject_bytes=st.sampled_from([0, 500, 1_000_000]))
    def check(content: str, options: dict[str, object], reject_bytes: int) -> None:
        suite.limits = replace(suite.limits, reject_bytes=reject_bytes)
        before = suite.rows("hired_employees")
        upload = suite.load("hired_employees", content, **options)

        assert upload.state.is_final
        rows = upload.rows
        assert rows.read == sum(astuple(rows)) - rows.read
        assert sum(cause.rows for cause in upload.causes) == rows.rejected
        assert_tables_agree(suite, upload, before)
        if rows.rejected:
            assert len(suite.rejects(upload.id)) == rows.rejected

    check()


def assert_tables_agree(suite: Suite, upload: Upload, before: list[tuple[object, ...]]) -> None:
    after = suite.rows("hired_employees")
    if upload.state in {State.COMPLETED, State.COMPLETED_WITH_REJECTS}:
        changed = set(after) - set(before)
        assert len(after) - len(before) == upload.rows.inserted
        assert len(changed) == upload.rows.inserted + upload.rows.updated
        assert upload.rows.unprocessed == 0
    else:
        assert after == before
    if upload.state == State.FAILED:
        assert upload.rows.inserted == upload.rows.updated == upload.rows.unchanged == 0
    assert suite.summary() == suite.expected_summary()
