"""Guests: lines without a user id of their own count as visits of other users; an id that many share is asked about."""

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from gpu_pricer.data.raw.guests import with_guests
from gpu_pricer.data.raw.inputs import read_inputs
from gpu_pricer.data.sources.source import RawTable
from gpu_pricer.errors import InputError
from gpu_pricer.tables.periods import Period
from tests.shops import validation

PRODUCTS = pl.DataFrame({"product_id": [10, 11], "category_id": ["A", "A"]})


class Shop:
    def __init__(self, **frames):
        self.frames = {"products": PRODUCTS} | frames

    def tables(self):
        return {name: RawTable(frame.lazy(), f"{name}.parquet") for name, frame in self.frames.items()}


def read(guests, **frames):
    return read_inputs(Shop(**frames), replace(validation("refuse"), guests=guests), Period("1w"), None)


def lines_of(users, dtype=pl.String):
    """Lines of these users in turn, one a day."""
    days = [date(2024, 1, 1) + timedelta(days=day) for day in range(len(users))]
    return pl.DataFrame(
        {"user_id": users, "product_id": 10, "time": days, "quantity": 1.0, "price": 2.0},
        schema_overrides={"user_id": dtype},
    )


def users_of(inputs):
    return inputs.tables["transactions"]["user_id"].cast(pl.String).to_list()


@pytest.mark.parametrize("guests", [None, [], ["G"]])
def test_lines_without_an_id_or_with_a_shared_one_are_of_other_users(guests):
    inputs = read(guests, transactions=lines_of(["ann", None, "G", "ann", " "]))

    users, is_guest = users_of(inputs), [False, True, bool(guests), False, True]
    assert [user.startswith("guest ") for user in users] == is_guest
    assert len(set(users)) == 2 + sum(is_guest) - bool(guests)
    assert inputs.guests == (sum(is_guest),) * 3
    assert inputs.broken["transactions"] == {}


@pytest.mark.parametrize(
    ("dtype", "others"), [(pl.Int64, [7, -5]), (pl.Int16, None), (pl.UInt32, [7, 1]), (pl.UInt32, None)]
)
def test_guests_have_numbers_below_all_others_where_ids_are_numbers(dtype, others):
    tables = {"transactions": lines_of([7, None, 0, 7], dtype)}
    if others:
        tables["users"] = pl.DataFrame({"user_id": others, "area": ["a", "b"]}, schema_overrides={"user_id": dtype})

    inputs = read(["0"], **tables)

    first, *guests, last = map(int, users_of(inputs))
    assert (first, last) == (7, 7)
    assert len(set(guests)) == 2
    assert max(guests) < min(*(others or [0]), 0)
    assert {table.schema["user_id"] for table in inputs.tables.values() if "user_id" in table.columns} == {pl.Int64}


@pytest.mark.parametrize("dtype", [pl.String, pl.Int64])
def test_guests_keep_their_ids_when_lines_come_and_go(dtype):
    """So that they stay in their segments; equal lines have different ids."""
    lines = pl.concat([lines_of([None] * 9, dtype), lines_of([None] * 3, dtype)])

    before = users_of(read(None, transactions=lines.head(10)))
    after = users_of(read(None, transactions=lines.tail(11)))

    assert len(set(before)) == 10
    assert len(set(before) & set(after)) == 9


def test_a_log_without_guests_stays_as_it_is():
    frames = {"transactions": lines_of(["ann", "bob"])}

    found, count = with_guests(frames, [], "transactions.parquet")

    assert count == (0, 0, 0)
    assert_frame_equal(found["transactions"], frames["transactions"])


def test_guests_have_names_that_nobody_else_has():
    [_, guest] = users_of(read([], transactions=lines_of(["guest 1", None])))

    assert guest.startswith("unknown guest ")


def test_a_log_whose_lines_have_no_ids_is_one_of_guests():
    inputs = read(None, transactions=lines_of([None, None, None]))

    assert len(set(users_of(inputs))) == inputs.guests.lines == 3


@pytest.mark.parametrize(("user", "dtype"), [(2**64 - 1, pl.UInt64), (-(2**63), pl.Int64)])
def test_ids_that_leave_no_room_for_those_of_guests_are_refused(user, dtype):
    with pytest.raises(InputError, match=rf"where lines are of guests, found .*{user}.*: convert user ids to text"):
        read([], transactions=lines_of([user, None], dtype))


def test_guests_must_be_in_the_log():
    with pytest.raises(InputError, match=r"data\.guests must name user ids of .*, found Gast, of which"):
        read(["GAST", "Gast"], transactions=lines_of(["ann", "GAST"]))


def test_guests_have_names_that_no_user_of_another_table_has():
    users = pl.DataFrame({"user_id": ["ann", "guest 1"], "area": ["a", "b"]})

    [_, guest] = users_of(read([], transactions=lines_of(["ann", None]), users=users))

    assert guest.startswith("unknown guest ")


@pytest.mark.parametrize("user", ["ann", None])
def test_a_log_that_was_loaded_twice_is_refused_with_and_without_ids(user):
    lines = lines_of([user] * 30).with_columns(price=pl.Series(range(30)) + 1.0)

    with pytest.raises(InputError, match="more than once"):
        read(None, transactions=pl.concat([lines, lines]))


def test_lines_of_guests_that_break_a_rule_are_kept_as_they_are():
    lines = lines_of(["ann", None, None]).with_columns(quantity=pl.Series([1.0, -1.0, 1.0]))

    inputs = read_inputs(Shop(transactions=lines), validation("quarantine"), Period("1w"), None)

    assert inputs.guests == (1, 1, 1)
    assert inputs.quarantine["transactions"]["user_id"].to_list() == [None]


def test_an_id_that_is_no_plain_word_is_told_as_hydra_reads_it():
    transactions = lines_of([*(f"user {number % 450}" for number in range(900)), *["Müller, Fa."] * 400])

    with pytest.raises(InputError, match=r"set data\.guests=\['Müller, Fa\.'\], and"):
        read(None, transactions=transactions)


def test_who_else_shares_an_id_is_told_beside_guests_that_are_known():
    many = [*(f"user {number % 450}" for number in range(900)), *["G"] * 300, *["H"] * 400]

    told = read(["G"], transactions=lines_of(many)).shared_users

    assert told.startswith("user_id H has 25% of all 1,600 lines")
    assert "data.guests=[G,H]" in told


@pytest.mark.parametrize("guests", ["G", [1.5], [True], {"G": 1}])
def test_guests_must_be_a_list_of_ids(guests):
    with pytest.raises(InputError, match=r"data\.guests must be a list of user ids, or null, found"):
        replace(validation("refuse"), guests=guests)


def test_an_id_of_everybody_is_refused_though_no_other_user_is_there():
    with pytest.raises(InputError, match=r"user_id G has 100% of all 300 lines.*set data\.guests=\[G\]"):
        read(None, transactions=lines_of(["G"] * 300))


def test_ids_that_have_a_fifth_of_the_lines_together_are_refused():
    stores = [f"store {number % 6}" for number in range(6 * 110)]

    with pytest.raises(InputError, match=r"user_id store 0 and 5 more have 42% .*=\[store 0,store 1,store 2\]"):
        read(None, transactions=lines_of([*(f"user {number}" for number in range(900)), *stores]))


@pytest.mark.parametrize(("shared", "is_refused"), [(150, False), (400, True)])
def test_an_id_with_many_of_the_lines_is_told_and_one_with_a_fifth_refused(shared, is_refused):
    transactions = lines_of([*(f"user {number % 450}" for number in range(900)), *["G"] * shared])
    told = rf"user_id G has {shared / (900 + shared):.0%} of all .* lines: .*set data.guests=\[G\], .*data.guests=\[\]"

    if is_refused:
        with pytest.raises(InputError, match=told):
            read(None, transactions=transactions)
    else:
        assert read(None, transactions=transactions).shared_users.startswith("user_id G has 14% of all 1,050 lines")
    assert read(["G"], transactions=transactions).guests.lines == shared
    one_buyer = read([], transactions=transactions)
    assert (one_buyer.guests.lines, one_buyer.shared_users) == (0, "")


def test_offers_of_a_shared_id_are_told_with_another_remedy():
    offers = lines_of([*(f"user {number % 450}" for number in range(900)), *["G"] * 400])
    offers = offers.with_columns(occasion_id=pl.int_range(pl.len()))

    assert "give each of them an id of its own" in read(None, offers=offers).shared_users


@pytest.mark.parametrize("as_text", [False, True])
def test_lines_of_a_receipt_of_a_guest_are_one_visit(as_text):
    receipts = pl.Series([1, 1, 2, None, None, 1, 1], dtype=pl.Int64)
    lines = lines_of(["ann", None, None, None, None, None, None]).with_columns(
        time=pl.Series([date(2024, 1, 1)] * 6 + [date(2024, 1, 2)]),
        receipt=receipts.cast(pl.String) if as_text else receipts,
    )

    inputs = read([], transactions=lines)

    ann, first, *others, same, another_day = users_of(inputs)
    assert ann == "ann"
    assert first == same
    assert len({first, *others, another_day}) == 5
    assert inputs.guests == (6, 2, 5)
    assert inputs.guests.report() == ("6 transactions are of guests: their 5 receipts count as visits of other users")
    assert "receipt" not in inputs.tables["transactions"].columns


@pytest.mark.parametrize(("guests", "receipts", "is_told"), [(1, False, False), (2, False, True), (2, True, False)])
def test_many_guests_without_receipts_are_a_doubt(guests, receipts, is_told):
    lines = lines_of(["ann"] * (10 - guests) + [None] * guests).with_columns(time=date(2024, 1, 1))
    lines = lines.with_columns(price=pl.Series(range(lines.height)) + 1.0)
    if receipts:
        lines = lines.with_columns(receipt=pl.int_range(pl.len()))  # of a line each

    doubts = read([], transactions=lines).doubts

    assert len(doubts) == is_told
    assert all(doubt.startswith("20% of the transactions are of guests without a receipt") for doubt in doubts)


def test_a_receipt_that_is_blank_is_none():
    lines = lines_of([None, None]).with_columns(time=date(2024, 1, 1), receipt=pl.Series([" ", " "]))

    assert read([], transactions=lines).guests == (2, 2, 2)
