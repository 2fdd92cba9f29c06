"""Every job accepts a table with a right result, or says in one line what is wrong with it."""

import warnings

from tests.faults import fuzz


def test_jobs_accept_random_tables_rightly_or_refuse_them_clearly():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's, of the short training before
        counts = fuzz.run(60, seed=0)

    assert counts.done == 60
    assert counts.wrong == 0, counts.examples
