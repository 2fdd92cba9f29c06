"""The log of decisions only grows, keeps what was written whatever happens, and says which decisions hold."""

import pytest

from gpu_pricer.errors import InputError
from gpu_pricer.tables.version.decisions import (
    LOG,
    Decision,
    append_decisions,
    each,
    read_decided,
    read_decisions,
    standing_decisions,
    write_decided,
)


def decision(product="p1", word="accept", when="2026-11-27T01:00:00.000000+00:00", run="one", **others):
    about = {"proposal": "a1", "price": None, "note": ""} | others
    return Decision(when=when, who="Ann", run=run, product_id=product, decision=word, **about)


def test_decisions_come_back_as_they_were_recorded_oldest_first(tmp_path):
    later = decision(word="override", when="2026-11-27T02:00:00.000000+00:00", run="two", price=3.49, note='a "€" – ä')
    append_decisions(tmp_path, [later])
    append_decisions(tmp_path, [decision(), decision("p2")])

    assert [*each(read_decisions(tmp_path))] == [decision(), decision("p2"), later]


def test_last_decision_about_a_proposal_holds_unless_it_was_taken_back(tmp_path):
    times = [f"2026-11-27T0{hour}:00:00.000000+00:00" for hour in range(5)]
    append_decisions(
        tmp_path,
        [
            decision("p1", "reject", times[0]),
            decision("p1", "accept", times[1]),
            decision("p2", "reject", times[2]),
            decision("p2", "reopen", times[3]),
            decision("p1", "reject", times[4], proposal="other prices"),
        ],
    )

    found = standing_decisions(read_decisions(tmp_path)).sort("proposal")

    assert found.select("product_id", "proposal", "decision").rows() == [
        ("p1", "a1", "accept"), ("p1", "other prices", "reject"),
    ]  # fmt: skip


@pytest.mark.parametrize("torn", ['{"when": "2026', '{"when": "2026-11-27T03:00:00.000000+00:00", "who": "Ann"}'])
def test_line_that_a_killed_writer_left_is_no_decision_and_goes_with_the_next(tmp_path, torn):
    append_decisions(tmp_path, [decision()])
    path = tmp_path / LOG / "one.jsonl"
    whole = path.read_text()
    path.write_text(whole + torn)

    assert read_decisions(tmp_path).height == 1
    append_decisions(tmp_path, [decision("p2")])
    assert path.read_text().startswith(whole)
    assert read_decisions(tmp_path)["product_id"].to_list() == ["p1", "p2"]


@pytest.mark.parametrize("line", ["{}", "no JSON", '{"when": "x", "who": "Ann", "decision": "perhaps"}'])
def test_broken_line_is_named(tmp_path, line):
    append_decisions(tmp_path, [decision()])
    path = tmp_path / LOG / "one.jsonl"
    path.write_text(path.read_text() + line + "\n")

    with pytest.raises(InputError, match=r"one\.jsonl must hold a decision in every line"):
        read_decisions(tmp_path)


def test_nothing_was_decided_where_there_is_no_log(tmp_path):
    assert read_decisions(tmp_path).is_empty()
    assert read_decided(tmp_path).is_empty()


def test_decisions_of_a_version_come_back(tmp_path):
    (tmp_path / "_record").mkdir()
    append_decisions(tmp_path, [decision(), decision("p2", "override", price=2.5)])
    decided = read_decisions(tmp_path)

    write_decided(decided, tmp_path)

    assert read_decided(tmp_path).equals(decided)
