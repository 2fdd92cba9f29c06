"""What is counted of choices and events some at a time, against all of them at once."""

import pytest
import torch

from gpu_pricer.network.encoding import choice_data, purchase_events
from gpu_pricer.network.training import sales
from gpu_pricer.network.training.sales import Sales

AT_ONCE = [13, 1000]


@pytest.mark.parametrize("at_once", AT_ONCE)
def test_the_choices_of_each_split_are_those_of_its_periods(market, monkeypatch, at_once):
    data = market[1]
    period, calendar = data.sets.period[data.choices.choice_set], data.calendar
    is_trained = (period >= calendar.history_periods) & (period < calendar.trained_periods)
    is_test = period >= calendar.validated_periods

    monkeypatch.setattr(choice_data, "AT_ONCE", at_once)
    trained, validated, test = data.split()

    assert torch.equal(trained, is_trained.nonzero().squeeze(1).int())
    assert torch.equal(test, is_test.nonzero().squeeze(1).int())
    assert len(trained) + len(validated) + len(test) == int((period >= calendar.history_periods).sum())
    assert data.is_user_trained().nonzero().squeeze(1).tolist() == data.choices.user[is_trained].unique().tolist()


def test_choices_of_a_visit_follow_each_other(market):
    """Batches keep those together that follow each other, and look up the past of a visit once."""
    data = market[1]

    visit = data.sets.period[data.choices.choice_set].long() * data.users.count + data.choices.user

    assert torch.equal(visit, visit.sort().values)
    assert len(visit.unique()) < len(visit) / 2


@pytest.mark.parametrize("at_once", AT_ONCE)
def test_sales_taken_some_at_a_time_are_those_taken_at_once(market, monkeypatch, at_once):
    whole = Sales.of(market[1])

    monkeypatch.setattr(sales, "AT_ONCE", at_once)
    found = Sales.of(market[1])

    assert torch.equal(found.bought, whole.bought)
    assert torch.equal(found.occasions, whole.occasions)


@pytest.mark.parametrize("at_once", AT_ONCE)
def test_events_are_counted_of_every_product_before_a_period(market, monkeypatch, at_once):
    data = market[1]
    is_bought = data.choices.chosen >= 0
    row, user = data.choices.chosen[is_bought], data.choices.user[is_bought].long()
    product, period = data.shelf.product[row], data.sets.period_of_rows()[row]
    events = torch.stack([product, user, period])[:, period < 5].unique(dim=1)

    monkeypatch.setattr(purchase_events, "AT_ONCE", at_once)
    found = data.history.products.events_before(5, data.products.count)

    assert torch.equal(found, torch.bincount(events[0], minlength=data.products.count))
