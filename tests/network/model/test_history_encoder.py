"""Weighted sums of a table's rows against the sums written out."""

import pytest
import torch

from gpu_pricer.network.model.history_encoder import weighted_sums


@pytest.mark.parametrize("sizes", [[2, 0, 3, 0], [0, 0, 0, 0], [1, 4, 0, 2]])
@pytest.mark.parametrize("index_type", [torch.int32, torch.int64])
def test_sums_and_their_gradient_are_those_written_out(sizes, index_type):
    torch.manual_seed(len(sizes))
    table, count = torch.randn(6, 3, requires_grad=True), sum(sizes)
    index, weight = torch.randint(6, (count,), dtype=index_type), torch.rand(count)
    begin = torch.tensor([0, *sizes[:-1]]).cumsum(0)
    pull = torch.randn(len(sizes), 3)

    found = weighted_sums(table, index, weight, begin)
    (gradient,) = torch.autograd.grad((found * pull).sum(), table)

    run = torch.repeat_interleave(torch.tensor(sizes))
    sums = torch.zeros(len(sizes), 3).index_add(0, run, table[index.long()] * weight[:, None])
    (expected,) = torch.autograd.grad((sums * pull).sum(), table)
    torch.testing.assert_close(found, sums)
    torch.testing.assert_close(gradient, expected)
