"""Inflating gives the same bytes however the network cut them."""

import gzip

from hypothesis import given
from hypothesis import strategies as st

from gateway.uploads.gzip import inflated


@given(
    members=st.lists(st.binary(max_size=500), max_size=4),
    repeat=st.integers(1, 2000),
    piece=st.integers(1, 5000),
    padding=st.integers(0, 20),
)
def test_members_come_out_whole_and_in_order(
    members: list[bytes], repeat: int, piece: int, padding: int
) -> None:
    plain = [member * repeat for member in members]
    packed = b"".join(gzip.compress(member, 1) for member in plain) + b"\0" * padding * bool(plain)
    chunks = [packed[start : start + piece] for start in range(0, len(packed), piece)]
    pieces = list(inflated(chunks))
    assert b"".join(pieces) == b"".join(plain)
    assert max(map(len, pieces), default=0) <= 64 * 1024
