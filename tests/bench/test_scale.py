"""The memory of the jobs by the line of the log: the real job on two logs."""

from tests.bench.large_log import LogSize
from tests.bench.scale import job_runs

FEW, MANY = 100_000, 500_000
MOST_BYTES = 150
"""For each further line of the log: a machine of 24 GiB is to price 100 million of them."""


def test_prepare_takes_few_bytes_for_a_line():
    few, many = (job_runs(LogSize(lines, products=2_000), 0, ["prepare"])["prepare"] for lines in (FEW, MANY))

    assert (few.reason, many.reason) == (None, None)
    assert (many.peak_bytes - few.peak_bytes) / (MANY - FEW) <= MOST_BYTES
