import pytest

from muster.worker.heartbeat import Heartbeat, Stalled


def test_a_worker_that_does_not_go_round_is_not_ready() -> None:
    seconds = 0.0
    heartbeat = Heartbeat(lambda: seconds)
    seconds = 59
    heartbeat.check()
    heartbeat.beat()
    seconds = 118
    heartbeat.check()
    seconds = 121
    with pytest.raises(Stalled, match="62 seconds"):
        heartbeat.check()
    heartbeat.beat()
    heartbeat.check()
