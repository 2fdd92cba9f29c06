"""Publishers on two machines, and one that is killed: the table in the store is always one whole version."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from gpu_pricer.errors import InputError, Refused
from gpu_pricer.jobs import outcome
from gpu_pricer.policy.policy_copy import write_policy
from gpu_pricer.tables.artefact import read_artefact, write_artefact
from gpu_pricer.tables.delta_log import current_run, published_runs
from gpu_pricer.tables.published import price_store
from gpu_pricer.tables.published.kept_artefacts import keep_artefact, kept_artefact
from gpu_pricer.tables.published.price_copy import bring_version, refresh_copy
from gpu_pricer.tables.published.price_store import store_of
from gpu_pricer.tables.published.promises import has_spread, read_promise
from gpu_pricer.tables.published.retention import Retention
from gpu_pricer.tables.stores.address import delta_options
from gpu_pricer.tables.stores.bucket import Bucket
from gpu_pricer.tables.version.decisions import Decision, append_decisions, now, read_decisions
from gpu_pricer.tables.version.names import CATALOG_COPY, RECORD
from gpu_pricer.tables.version.proposals import read_proposals
from gpu_pricer.tables.version.seal import seal
from gpu_pricer.tables.version.version_record import read_version
from gpu_pricer.versions import publication as job
from tests.markets import a_policy, catalog_of, with_posterior
from tests.stores.conftest import ARTEFACT

ROOT = Path(__file__).parents[2]


def rows_of(folder):
    return pl.read_parquet(folder / "*.parquet").sort("product_id", "segment_id")


def pointed_run(machine):
    return json.loads(Bucket(machine.address).read("_current.json"))["run"]


@pytest.mark.parametrize("has_first", [False, True])
def test_of_two_publishers_at_once_one_wins_and_the_other_says_so(machines, monkeypatch, has_first):
    one, two = machines
    if has_first:
        one.publish(one.scored("first"))
    loser, winner = one.scored("loser", 1), two.scored("winner", 2)
    commit_version = job.commit_version

    def after_the_other(*arguments):
        monkeypatch.setattr(job, "commit_version", commit_version)
        two.publish(winner)
        return commit_version(*arguments)

    monkeypatch.setattr(job, "commit_version", after_the_other)

    with pytest.raises(InputError, match=rf"only one publisher may commit to {one.address} at a time, .* run it again"):
        one.publish(loser)

    assert one.rows().equals(rows_of(winner))
    assert pointed_run(one) == current_run(one.prices) == "winner"
    assert one.publish(loser) == "loser"
    assert two.rows().equals(rows_of(loser))


DIE_AT = """
import os, signal, sys
from pathlib import Path
from gpu_pricer.versions import publication as job
from gpu_pricer.tables.published.price_store import BucketStore
from tests.stores.conftest import Machine

place = job if hasattr(job, sys.argv[3]) else BucketStore
setattr(place, sys.argv[3], lambda *arguments: os.kill(os.getpid(), signal.SIGKILL))
machine = Machine(sys.argv[1], Path(sys.argv[2]))
machine.publish(machine.prices / "second")
"""


@pytest.mark.parametrize("step", ["commit_version", "point"])
def test_killed_publication_leaves_a_whole_version_and_a_rerun_succeeds(machines, step):
    one, two = machines
    one.publish(one.scored("first"))
    second = one.scored("second", 1)

    killed = subprocess.run([sys.executable, "-c", DIE_AT, one.address, one.prices, step], cwd=ROOT, check=False)

    assert killed.returncode == -signal.SIGKILL
    assert two.rows().equals(rows_of(second if step == "point" else one.prices / "first"))
    assert pointed_run(two) == "first"
    assert one.publish(second) == "second"
    assert two.rows().equals(rows_of(second))
    assert pointed_run(two) == "second"
    assert published_runs(two.prices) == {"first": 0, "second": 1}


def test_version_of_a_name_that_another_has_is_refused_and_neither_changes(machines):
    one, two = machines
    ours = two.scored("tonight", 2)
    before = rows_of(ours)
    one.publish(one.scored("tonight", 1))

    for attempt in (two.refresh, lambda: two.publish(ours)):
        with pytest.raises(InputError, match=r"two/tonight must be s3://.*, found another version of that name: move"):
            attempt()

    assert rows_of(ours).equals(before)
    assert two.rows().equals(rows_of(one.prices / "tonight"))


def test_removed_version_is_not_published_again_by_a_machine_that_still_has_it(machines):
    one, two = machines
    first = one.scored("first")
    one.publish(first)
    two.publish(two.scored("second", 1), keep=1)

    with pytest.raises(InputError, match=r"first must still be in s3://.*, found that its files were removed"):
        one.publish(first)

    assert two.rows().equals(rows_of(two.prices / "second"))
    assert not Bucket(one.address).list("first")


def test_rollback_while_another_machine_removes_leaves_the_version_whole(machines, monkeypatch):
    one, two = machines
    first = one.scored("first")
    one.publish(first)
    one.publish(one.scored("second", 1))
    two.refresh()
    announce = price_store.BucketStore._announce

    def after_the_rollback(*arguments):
        one.publish(first)
        return announce(*arguments)

    monkeypatch.setattr(price_store.BucketStore, "_announce", after_the_rollback)

    with pytest.raises(InputError, match=r"found that somebody committed meanwhile: nothing was removed, run it again"):
        price_store.store_of(two.prices).remove_old(price_store.Retention(1, 0))

    assert two.rows().equals(rows_of(first))


def test_file_that_changed_in_the_store_is_noticed(machines):
    one, two = machines
    one.publish(one.scored("first"))
    store = Bucket(one.address)
    [name, *_] = [key for key in store.list("first") if key.endswith(".parquet")]
    store.write(name, b"other")

    with pytest.raises(InputError, match=r"first must be as `score` left it, byte for byte, found 1 of its files"):
        two.refresh()


def test_decisions_go_with_a_version_to_the_store_and_hold_for_all_publishers(machines):
    one, two = machines
    reviewed = one.prices.with_name("prices")
    reviewed.mkdir()
    folder = one.scored("tonight").rename(reviewed / "tonight")
    first = read_proposals(folder, read_version(folder)).row(0, named=True)

    def decide(decision):
        told = (now(), "Ann", "tonight", first["product_id"], first["proposal"], decision, None, "")
        append_decisions(reviewed, [Decision(*told)])

    decide("reject")
    with pytest.raises(Refused, match=r"found 1 products priced otherwise than decided"):
        one.publish(folder)
    decide("accept")
    assert one.publish(folder) == "tonight"

    decide("reject")
    one.publish(one.scored("other", 1).rename(reviewed / "other"))
    two.refresh()
    assert read_decisions(two.prices).equals(read_decisions(reviewed))
    with pytest.raises(Refused, match=r"found 1 products priced otherwise than decided"):
        two.publish(two.scored("again"))


def made_of(artefact, machine, run, demand):
    """A version scored on the machine, with its artefact beside it."""
    write_artefact(artefact, demand)
    keep_artefact(demand, machine.prices, artefact.fingerprint())
    return machine.scored(run, artefact=artefact)


def test_artefact_goes_from_the_store_with_the_last_version_that_needs_it(machines, monkeypatch, tmp_path):
    one, two = machines
    old, new = ARTEFACT, with_posterior(ARTEFACT, 0.2)
    for run, artefact in (("first", old), ("second", new), ("third", new)):
        one.publish(made_of(artefact, one, run, tmp_path / run), keep=5)
    two.refresh()
    bucket, last = Bucket(one.address), Retention(1, 0)
    gone = {"first", "second", f"_artefacts/{old.fingerprint()}"}

    assert {*store_of(two.prices).removable(last)} == {"first", "second"}, "an artefact that is young stays"
    monkeypatch.setattr(price_store, "IDLE_SECONDS", -60)
    assert {*store_of(two.prices).remove_old(last)} == gone

    assert {key.split("/")[1] for key in bucket.list("_artefacts")} == {new.fingerprint()}
    again = made_of(old, two, "again", tmp_path / "again")
    with pytest.raises(InputError, match=r"found that somebody began to \d+ seconds ago: run it again in 10 minutes"):
        two.publish(again)
    monkeypatch.setattr(price_store, "REMOVING_SECONDS", -60)
    two.publish(again)
    assert len({key.split("/")[1] for key in bucket.list("_artefacts")}) == 2


def test_artefact_and_prices_come_with_the_versions_that_are_asked_for(machines, tmp_path):
    one, two = machines
    first = one.scored("first")
    write_artefact(ARTEFACT, tmp_path / "demand")
    keep_artefact(tmp_path / "demand", one.prices, ARTEFACT.fingerprint())
    one.publish(first)

    refresh_copy(two.prices, with_current=False)

    assert not (two.prices / "_artefacts").exists()
    assert not [*two.prices.glob("first/*.parquet")]
    bring_version(two.prices, "first")
    assert read_artefact(kept_artefact(two.prices, ARTEFACT.fingerprint())).fingerprint() == ARTEFACT.fingerprint()
    assert rows_of(two.prices / "first").equals(rows_of(first))


def test_spread_of_a_promise_is_told_by_one_machine_for_all_and_left_out_without_prices(machines, tmp_path):
    one, two = machines
    folder = one.scored("first")
    write_policy(a_policy(), folder / RECORD)
    catalog_of(ARTEFACT).sort("product_id").write_parquet(folder / RECORD / CATALOG_COPY)
    seal(folder)
    write_artefact(with_posterior(ARTEFACT, 0.1), kept_artefact(one.prices, read_version(folder).artefact))
    one.publish(folder)
    refresh_copy(two.prices, with_current=False)
    plain = tmp_path / "plain"
    for name in (f"first/{RECORD}", "_promises"):
        shutil.copytree(two.prices / name, plain / name)

    for prices in (two.prices, plain):
        outcome._complete(prices, "first")

    assert has_spread(two.prices, "first")
    assert not has_spread(plain, "first")
    one.refresh()
    assert read_promise(one.prices, "first").spread == read_promise(two.prices, "first").spread != {}


def test_file_written_here_is_not_taken_for_that_of_the_store_because_it_is_as_large(machines):
    one, two = machines
    one.publish(one.scored("first"))
    store = Bucket(one.address)
    store.write("_promises/first.json", b"theirs")
    for name in ("_promises/first.json", "first/_record/publication.json"):
        (two.prices / name).parent.mkdir(parents=True, exist_ok=True)
        (two.prices / name).write_bytes(b"x" * store.list()[name].size)

    two.refresh()

    assert (two.prices / "_promises/first.json").read_bytes() == b"theirs"
    assert (two.prices / "first/_record/publication.json").read_bytes() == store.read("first/_record/publication.json")


def test_versions_within_their_hours_stay_in_the_copy_as_in_the_store(machines):
    one, _ = machines
    for k, run in enumerate(["first", "second", "third"]):
        one.publish(one.scored(run, k), keep=1, keep_hours=1)

    assert {"first", "second", "third"} <= {path.name for path in one.prices.iterdir()}

    assert price_store.store_of(one.prices).remove_old(price_store.Retention(1, 0)) == ["first", "second"]
    assert not {"first", "second"} & {path.name for path in one.prices.iterdir()}


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("value", ["true", "yes", "on", "T"])
def test_commits_without_conditions_are_refused(monkeypatch, value):
    monkeypatch.setenv("AWS_S3_ALLOW_UNSAFE_RENAME", value)

    with pytest.raises(InputError, match=rf"AWS_S3_ALLOW_UNSAFE_RENAME must not be set, found {value}:"):
        delta_options("s3://shop/prices")
