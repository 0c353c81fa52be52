"""The benchmark of cancellation, with a few calls of each way."""

from bench.cancel import ways


def test_each_way_ends_calls_that_would_not_end(tmp_path):
    for measure in (ways.guest, ways.process, ways.client_gone):
        times_ms = measure(3, tmp_path)
        assert len(times_ms) == 3
        assert all(0 < one < ways.LIMITS.wall_ms / 2 for one in times_ms)
