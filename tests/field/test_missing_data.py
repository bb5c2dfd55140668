"""NaN and missing data: it is said where a NaN stands, and heights that are missing may be asked to be missing."""

import numpy as np
import pytest
import torch

import rollingball as rb

SINE, DESCENT = rb.surfaces.sine(), rb.GradientDescent(lr=0.1)


def dilated(heights, spacing, radius):
    """The dilation by a ball, from its definition; NaN counts as missing."""
    places = np.moveaxis(np.indices(heights.shape), 0, -1).reshape(-1, heights.ndim) * spacing
    flat = heights.ravel()
    square = radius**2 - ((places[:, None] - places[None]) ** 2).sum(axis=-1)
    sums = np.where(square >= 0, flat[None] + np.sqrt(np.maximum(square, 0)), np.nan)
    best = np.where(np.isnan(sums), -np.inf, sums).max(axis=1)
    return np.where(np.isinf(best), np.nan, best).reshape(heights.shape)


# Missing heights


@pytest.mark.parametrize("shape", [(40,), (13, 17), (5, 7, 6)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_ball_touches_no_missing_sample(shape, dtype):
    draw = np.random.default_rng(3)
    heights = draw.normal(size=shape).astype(dtype)
    spikes = draw.random(shape) < 0.3
    heights[spikes] = 1000
    missing = np.where(spikes, np.nan, heights).astype(np.float64)
    exact = dilated(missing, 1.0, 2.0)
    masked = rb.iron_grid(np.ma.array(heights, mask=heights > 100), 1.0, 2.0)
    skipped = rb.iron_grid(np.where(spikes, np.nan, heights).astype(dtype), 1.0, 2.0, missing="skip")
    for ironed in (masked, skipped):
        np.testing.assert_allclose(ironed.heights, exact, rtol=1e-6 if dtype == np.float32 else 1e-14)
        touched = ironed.contact[~np.isnan(ironed.heights)]
        assert not spikes[tuple(touched.T)].any()


def test_where_nothing_is_within_reach_there_is_no_height():
    heights = np.zeros(9)
    heights[1:8] = np.nan
    ironed = rb.iron_grid(heights, 1.0, 2.0, missing="skip")
    assert np.isnan(ironed.heights).tolist() == [False] * 3 + [True] * 3 + [False] * 3
    assert (ironed.contact[3:6] == -1).all()


@pytest.mark.parametrize("border", ["truncated", "periodic"])
def test_a_volume_irons_as_its_definition_says(border):
    heights = np.random.default_rng(0).normal(size=(6, 5, 7))
    ironed = rb.iron_grid(heights, [0.7, 1.0, 0.5], 2.0, border=border)
    exact = dilated(heights, [0.7, 1.0, 0.5], 2.0)
    if border == "periodic":
        tiled = np.tile(heights, (3, 3, 3))
        exact = dilated(tiled[2:-2], [0.7, 1.0, 0.5], 2.0)[4:10, 5:10, 7:14]
    np.testing.assert_allclose(ironed.heights, exact, rtol=1e-13)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda bad: rb.iron_grid(bad, 1.0, 2.0), "heights"),
        (lambda bad: rb.surfaces.sampled(bad, [[0, 1]]), "heights"),
        (lambda bad: rb.simulate(SINE, None, DESCENT, start=bad[:, None], steps=1), "start"),
        (lambda bad: rb.project(SINE, np.stack([bad, bad], axis=1)), "points"),
        (lambda bad: rb.Ball(np.abs(bad) + 1), "radius"),
    ],
)
def test_a_nan_is_said_to_be_one_and_where_it_stands(call, field, no_compiling):
    bad = np.linspace(0.0, 1.0, 9)
    bad[[4, 7]] = np.nan
    with pytest.raises(rb.InputError, match=rf"^{field}: got .*NaN stands at index .*4.*, [24] in all"):
        call(bad)


def test_an_infinity_is_said_to_be_one(no_compiling):
    with pytest.raises(rb.InputError, match=r"; minus infinity stands at index \(1, 2\)$"):
        rb.iron_grid(np.array([[0.0, 1.0, 2.0], [3.0, 4.0, -np.inf]]), 1.0, 2.0)
    with pytest.raises(rb.InputError, match=r"; NaN$"):
        rb.Ball(float("nan"))


@pytest.mark.parametrize(
    "call",
    [
        lambda masked: rb.surfaces.sampled(masked, [[0, 1]]),
        lambda masked: rb.simulate(SINE, None, DESCENT, start=masked[:, None], steps=1),
        lambda masked: rb.Ball(masked + 1),
    ],
)
def test_elsewhere_masked_arrays_are_refused(call, no_compiling):
    with pytest.raises(rb.InputError, match="none of them masked"):
        call(np.ma.array(np.linspace(0.0, 1.0, 9), mask=np.arange(9) == 4))
    rb.Ball(np.ma.array([1.0, 2.0]))  # a mask that hides nothing


# Holes in sampled surfaces


def test_a_sampled_surface_has_a_hole_where_heights_are_missing():
    axis = np.linspace(-1.0, 1.0, 21)
    heights = 0.3 * axis[:, None] ** 2 + 0.2 * axis[None] ** 2
    holed = heights.copy()
    holed[5, 5] = np.nan
    box = [[-1.0, 1.0], [-1.0, 1.0]]
    surface, whole = rb.surfaces.sampled(holed, box, missing="skip"), rb.surfaces.sampled(heights, box)
    spacing, middle = 0.1, axis[5]
    around = np.array([[middle + dx * spacing, middle + dy * spacing] for dx in (-0.9, 0.5) for dy in (-0.5, 0.9)])
    assert np.isnan(surface.value(around)).all()
    beside = np.array([[middle + 1.1 * spacing, middle], [middle, middle - 1.1 * spacing], [0.5, 0.5]])
    np.testing.assert_allclose(surface.value(beside), whole.value(beside), atol=0.02)
    np.testing.assert_allclose(surface.value([[0.5, 0.5]]), whole.value([[0.5, 0.5]]), atol=1e-5)
    run = rb.simulate(surface, None, rb.GradientDescent(0.1), start=[[0.8, 0.8]], steps=60)
    np.testing.assert_allclose(run.foot[-1], 0.0, atol=0.1)
    with pytest.raises(rb.InputError, match="NaN stands at index"):
        rb.surfaces.sampled(holed, box)
    with pytest.raises(rb.InputError, match=r"^missing: "):
        rb.surfaces.sampled(heights, box, missing="perhaps")


def test_without_missing_heights_nothing_changes():
    heights = np.random.default_rng(0).normal(size=(9, 8))
    points = np.random.default_rng(1).uniform(-1, 1, size=(40, 2))
    box = [[-1.0, 1.0], [-1.0, 1.0]]
    one, other = rb.surfaces.sampled(heights, box), rb.surfaces.sampled(heights, box, missing="skip")
    np.testing.assert_array_equal(one.value(points), other.value(points))


# Tensors and masks


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.int16])
def test_a_tensor_of_heights_is_ironed_as_its_array_is(dtype):
    heights = torch.from_numpy(np.random.default_rng(5).normal(size=(9, 7)) * 50).to(dtype)
    for options in ({}, {"missing": "skip"}):
        ironed = rb.iron_grid(heights, 1.0, 2.0, **options)
        np.testing.assert_array_equal(ironed.heights, rb.iron_grid(heights.numpy(), 1.0, 2.0).heights)
        assert ironed.heights.dtype == (np.float32 if dtype == torch.float32 else np.float64)


@pytest.mark.parametrize("options", [{}, {"missing": "skip"}])
def test_heights_with_a_gradient_are_refused_in_either_way(options, no_compiling):
    heights = torch.ones(6, dtype=torch.float64, requires_grad=True)
    for call in (
        lambda: rb.iron_grid(heights, 1.0, 1.0, **options),
        lambda: rb.surfaces.sampled(heights, [[0.0, 1.0]], **options),
        lambda: rb.iron_grid(torch.ones(6, dtype=torch.bfloat16), 1.0, 1.0, **options),
    ):
        with pytest.raises(rb.InputError, match=r"^heights: got tensor"):
            call()


def test_masked_heights_of_a_sampled_surface_are_missing_as_nan_are(tmp_path):
    heights = np.sin(np.linspace(0, 3, 12))
    masked = np.ma.array(np.where(heights > 0.95, 1000.0, heights), mask=heights > 0.95)
    surface = rb.surfaces.sampled(masked, [[0, 3]], missing="skip")
    same = rb.surfaces.sampled(np.where(heights > 0.95, np.nan, heights), [[0, 3]], missing="skip")
    places = np.linspace(0.01, 2.99, 50)[:, None]
    np.testing.assert_array_equal(surface.value(places), same.value(places))
    assert np.isnan(surface.value([np.pi / 2]))
    run = rb.simulate(surface, None, DESCENT, start=[0.3], steps=2, gap=None)
    run.save(tmp_path / "run.safetensors")
    longer = rb.resume(rb.Trajectory.load(tmp_path / "run.safetensors"), 2, gap=None)
    np.testing.assert_array_equal(longer.foot, rb.simulate(same, None, DESCENT, start=[0.3], steps=4, gap=None).foot)
    with pytest.raises(rb.InputError, match=r"^heights: .*masked"):
        rb.surfaces.sampled(masked, [[0, 3]])
