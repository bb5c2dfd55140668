"""One norm over all parameters: against torch's own, in every precision and layout."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rollingball.pytorch.optimizer.tensors import Space, add, add_, copy_, local, scale_, select_


def some(dtypes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(3, i + 1, dtype=torch.float64, generator=generator).to(d) for i, d in enumerate(dtypes)]


@given(st.lists(st.sampled_from([torch.float32, torch.float64]), min_size=1, max_size=5), st.integers(0, 9))
def test_the_norm_is_that_of_torch(dtypes, seed):
    tensors = some(dtypes, seed)
    expected = torch.nn.utils.get_total_norm([t.double() for t in tensors])
    norm = Space(tensors).norm(tensors)
    assert norm.dtype == (torch.float64 if torch.float64 in dtypes else torch.float32)
    assert norm.item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_norm_of_bfloat16_is_exact_to_float32():
    tensors = [torch.full((1000,), 1.0, dtype=torch.bfloat16), torch.full((1,), 3.0, dtype=torch.bfloat16)]
    # torch's norm of these is in bfloat16, and off by 1e-3
    assert Space(tensors).norm(tensors).item() == pytest.approx(1009**0.5, rel=1e-6)


def test_the_norm_of_nothing_is_zero():
    assert Space([]).norm([]).item() == 0.0
    empty = [torch.zeros(0, 3)]
    assert Space(empty).norm(empty).item() == 0.0


def test_complex_numbers_are_pairs():
    z = torch.tensor([3 + 4j, 1j])
    assert torch.equal(local(z), torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
    local(z)[0, 0] = 7.0
    assert z[0] == 7 + 4j
    assert Space([z]).norm([local(z)]).item() == pytest.approx((49 + 16 + 1) ** 0.5)


def test_products_are_summed_in_float64():
    one, other = [torch.full((10,), 1e4), torch.ones(1)], [torch.full((10,), 1e4), torch.full((1,), 0.5)]
    assert Space(one).dot(one, other) == 1e9 + 0.5  # float32 is a multiple of 64 here


@pytest.mark.parametrize("foreach", [True, False])
def test_arithmetic(foreach):
    one, other = some([torch.float64] * 3, 1), some([torch.float64] * 3, 2)
    expected = [x + 0.5 * y for x, y in zip(one, other, strict=True)]
    result = add(one, other, 0.5, foreach)
    add_(one, other, 0.5, foreach)
    for got, same, want in zip(result, one, expected, strict=True):
        assert torch.equal(got, want)
        assert torch.equal(same, want)
    for factor in (3.0, torch.tensor(3.0)):
        scaled = [x.clone() for x in other]
        scale_(scaled, factor, foreach)
        assert all(torch.equal(x, 3 * y) for x, y in zip(scaled, other, strict=True))
    copy_(one, other, foreach)
    assert all(torch.equal(x, y) for x, y in zip(one, other, strict=True))
    for function in (add_, copy_):
        function([], [], foreach=foreach)
    scale_([], 1.0, foreach)


def test_a_choice_keeps_what_is_not_chosen_out():
    kept, other = [torch.ones(2)], [torch.tensor([torch.nan, torch.inf])]
    select_(torch.tensor(False), kept, other)
    assert torch.equal(kept[0], torch.ones(2))
    select_(torch.tensor(True), kept, [torch.zeros(2)])
    assert torch.equal(kept[0], torch.zeros(2))
