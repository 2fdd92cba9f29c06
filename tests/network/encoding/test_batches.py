"""Batches of choices, and the shares of them that processes take."""

from dataclasses import fields

import pytest
import torch

from gpu_pricer.network.encoding.batches import IndexBatches, Share, gather_batch

OF_CHOICES = ("user", "choice_set", "weight", "size", "outside")
OF_ALTERNATIVES = ("row", "correction")
MOST_BYTES = 20
"""For a choice, of which there are up to three for each line of the log."""


def laid_end_to_end(batches):
    """The columns of several batches as those of one."""
    columns = {name: torch.cat([getattr(batch, name) for batch in batches]) for name in OF_CHOICES + OF_ALTERNATIVES}
    choices, alternatives, chosen, occasion = 0, 0, [], []
    for batch in batches:
        chosen.append(torch.where(batch.chosen >= 0, batch.chosen + alternatives, -1))
        occasion.append(batch.occasion + choices)
        choices, alternatives = choices + len(batch.user), alternatives + len(batch.row)
    return columns | {"chosen": torch.cat(chosen), "occasion": torch.cat(occasion)}


@pytest.mark.parametrize("processes", [1, 2, 4, 7])
@pytest.mark.parametrize("choices", [3, 500])
def test_shares_of_a_batch_laid_end_to_end_are_the_batch(market, choices, processes):
    data = market[1]
    index = data.split()[0][torch.randperm(500, generator=torch.Generator().manual_seed(1))[:choices]]
    whole = gather_batch(data, index, 3, torch.Generator().manual_seed(2))

    shares = [Share.of(choices, rank, processes) for rank in range(processes)]
    batches = [gather_batch(data, index, 3, torch.Generator().manual_seed(2), share) for share in shares]

    for name, column in laid_end_to_end(batches).items():
        torch.testing.assert_close(column, getattr(whole, name), rtol=0, atol=0)
    for batch in [whole, *batches]:
        assert torch.equal(batch.products[batch.place], data.shelf.product[batch.row])
    assert {field.name for field in fields(whole)} == {
        *OF_CHOICES, *OF_ALTERNATIVES, "chosen", "occasion", "share", "products", "place"
    }  # fmt: skip


@pytest.mark.parametrize("processes", [1, 2, 4, 7])
@pytest.mark.parametrize("whole", [0, 1, 3, 128, 131])
def test_every_choice_of_a_batch_is_in_one_share_and_shares_are_equal_but_for_one(whole, processes):
    parts = [Share.of(whole, rank, processes)(torch.arange(whole)) for rank in range(processes)]

    assert torch.equal(torch.cat(parts), torch.arange(whole))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("together", [1, 3, 8])
def test_an_epoch_holds_every_choice_once_in_an_order_of_its_own(together):
    batches = IndexBatches(torch.arange(100, 205), batch_size=10, seed=3, together=together)

    first = torch.cat(list(batches))
    batches.epoch = 1
    second = list(batches)
    batches.first = 4

    assert len(batches) == len(second) == 11
    assert torch.equal(first.sort().values, torch.arange(100, 205))
    assert torch.equal(torch.cat(second).sort().values, torch.arange(100, 205))
    assert not torch.equal(first, torch.cat(second))
    assert torch.equal(torch.cat(list(batches)), torch.cat(second[4:]))


def test_choices_that_follow_each_other_stay_together():
    batches = IndexBatches(torch.arange(0, 1000), batch_size=50, seed=0, together=8)
    follows = []

    for batches.epoch in range(3):
        order = torch.cat(list(batches))
        follows.append(order.diff() == 1)
        assert (order[1:][~follows[-1]] % 8 == -batches.epoch % 8).float().mean() > 0.95

    assert all(abs(float(own.float().mean()) - 7 / 8) < 0.02 for own in follows)


def test_choice_takes_few_bytes(market):
    choices = market[1].choices

    assert sum(tensor.nbytes for tensor in choices.tensors()) <= MOST_BYTES * choices.count
