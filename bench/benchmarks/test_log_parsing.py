"""Log parsing in a module against the same in Python: `make bench`."""

import pytest

from bench.log_parsing import FORMATS, measure

MEGABYTES = 5


@pytest.mark.benchmark(group="logs")
@pytest.mark.parametrize("name", FORMATS)
def test_parse_logs(benchmark, name):
    rows = benchmark.pedantic(measure, (name, MEGABYTES, 3), rounds=1)
    benchmark.extra_info |= rows
