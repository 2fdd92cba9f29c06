"""Four Parquet readers that share no code read the files of our writer alike."""

from tests.faults import writer_files


def test_four_readers_agree_on_random_files():
    counts = writer_files.run(40, seed=0)

    assert counts.done == 40
    assert counts.wrong == 0, counts.examples
