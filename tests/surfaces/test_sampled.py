"""The spline through sampled heights: against scipy, against what it samples, at its edges, under a ball."""

import functools
import itertools
import json

import numpy as np
import pytest
import warp as wp
from scipy.interpolate import CubicSpline, RectBivariateSpline

import rollingball as rb
from rollingball.core.numeric import Numeric
from rollingball.surfaces.splines import control_points

S = rb.surfaces
RNG = np.random.default_rng(5)
LINE, SHEET = RNG.normal(size=11), RNG.normal(size=(7, 12))
BOX, SIDES = [[-1.0, 2.0]], [[-1.0, 2.0], [0.5, 1.5]]


def evenly(box, shape, endpoint=True):
    """The points of a grid as (N, d), and the places along each axis."""
    axes = [np.linspace(*pair, count, endpoint=endpoint) for pair, count in zip(box, shape, strict=True)]
    return np.array(list(itertools.product(*axes))), axes


def close(found, expected, tolerance):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("border", ["not-a-knot", "periodic"])
@pytest.mark.parametrize(("heights", "box"), [(LINE, BOX), (SHEET, SIDES)], ids=["line", "sheet"])
def test_it_goes_through_the_heights(heights, box, border):
    x, _ = evenly(box, heights.shape, endpoint=border != "periodic")
    assert np.abs(S.sampled(heights, box, border).value(x) - heights.ravel()).max() < 1e-12


@pytest.mark.parametrize("border", ["not-a-knot", "periodic"])
@pytest.mark.parametrize("count", [4, 5, 6, 40])
def test_a_line_is_the_spline_of_scipy(count, border):
    heights = np.random.default_rng(count).normal(size=count)
    surface = S.sampled(heights, BOX, border)
    at = evenly(BOX, [count], endpoint=border != "periodic")[1][0]
    if border == "periodic":
        at, heights = np.append(at, 2.0), np.append(heights, heights[0])
    expected = CubicSpline(at, heights, bc_type=border)
    x = np.concatenate([RNG.uniform(-1, 2, 200), at])
    close(surface.value(x[:, None]), expected(x), 1e-12)
    close(surface.gradient(x[:, None])[:, 0], expected(x, 1), 1e-12)
    close(surface.hessian(x[:, None])[:, 0, 0], expected(x, 2), 1e-10)


@pytest.mark.parametrize("shape", [(4, 4), (5, 9), (20, 4)])
def test_a_sheet_is_the_spline_of_scipy(shape):
    heights = np.random.default_rng(0).normal(size=shape)
    points, axes = evenly(SIDES, shape)
    x = np.concatenate([RNG.uniform([-1, 0.5], [2, 1.5], (200, 2)), points])
    surface, expected = S.sampled(heights, SIDES), RectBivariateSpline(*axes, heights)

    def partial(a, b):
        return expected(*x.T, dx=a, dy=b, grid=False)

    close(surface.value(x), partial(0, 0), 1e-11)
    close(surface.gradient(x), np.stack([partial(1, 0), partial(0, 1)], axis=1), 1e-10)
    bends = surface.hessian(x)
    np.testing.assert_array_equal(bends[:, 0, 1], bends[:, 1, 0])
    for (i, j), orders in {(0, 0): (2, 0), (0, 1): (1, 1), (1, 1): (0, 2)}.items():
        close(bends[:, i, j], partial(*orders), 1e-9)


@pytest.mark.parametrize("partial", [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2), (2, 1), (1, 2)])
def test_a_derivative_on_a_cell_is_made_of_its_control_points(partial):
    spacing, cells = np.array([0.5, 1 / 11]), (6, 11)
    points = np.array(list(control_points(S.sampled(SHEET, SIDES).params["coefficients"], spacing, partial)))
    axes = evenly(SIDES, SHEET.shape)[1]
    expected = RectBivariateSpline(*axes, SHEET)
    for t, u in [(0.0, 0.0), (0.3, 0.8), (0.6, 0.1)]:
        weights = np.outer(*[[(1 - s) ** 3, 3 * s * (1 - s) ** 2, 3 * s**2 * (1 - s), s**3] for s in (t, u)])
        x, y = (axis[:-1] + share * step for axis, share, step in zip(axes, (t, u), spacing, strict=True))
        there = expected(x, y, dx=partial[0], dy=partial[1])
        close(np.tensordot(weights.ravel(), points.reshape(16, *cells), 1), there, 1e-9)


@pytest.mark.parametrize("border", ["not-a-knot", "periodic"])
def test_derivatives_are_those_of_the_value(border):
    surface = S.sampled(SHEET, SIDES, border)
    x, h = RNG.uniform([-0.9, 0.55], [1.9, 1.45], (50, 2)), 1e-5
    for k, step in enumerate(h * np.eye(2)):
        close((surface.value(x + step) - surface.value(x - step)) / (2 * h), surface.gradient(x)[:, k], 1e-6)
        close((surface.gradient(x + step) - surface.gradient(x - step)) / (2 * h), surface.hessian(x)[:, k], 1e-6)


@pytest.mark.parametrize("border", ["not-a-knot", "periodic"])
def test_across_an_edge_nothing_jumps_up_to_the_curvature(border):
    surface = S.sampled(SHEET, SIDES, border)
    count = np.array(SHEET.shape) - (border != "periodic")
    spacing = np.array([3.0, 1.0]) / count
    for cell in itertools.product(range(1, count[0]), range(1, count[1])):
        corner = np.array([-1.0, 0.5]) + spacing * cell
        for direction in ([1, 0.3], [0.4, 1], [1, -1]):
            step = 1e-9 * np.array(direction)
            for call, slack in ((surface.value, 1e-6), (surface.gradient, 1e-5), (surface.hessian, 1e-4)):
                assert np.abs(call(corner + step) - call(corner - step)).max() < slack


@pytest.mark.parametrize("dim", [1, 2])
def test_cubics_are_themselves(dim):
    def cubic(x):
        return np.prod(0.3 - x + 0.5 * x**2 + 2 * x**3, axis=1)

    for count in (4, 5, 13):
        points, _ = evenly(SIDES[:dim], [count] * dim)
        surface = S.sampled(cubic(points).reshape([count] * dim), SIDES[:dim])
        x = RNG.uniform([-1, 0.5][:dim], [2, 1.5][:dim], (50, dim))
        close(surface.value(x), cubic(x), 1e-13)


@pytest.mark.parametrize("border", ["not-a-knot", "periodic"])
def test_the_error_is_of_fourth_order(border):
    box = [[0.0, 2 * np.pi]]
    x = np.linspace(0, 2 * np.pi, 5000)[:, None]
    counts, errors = np.array([64, 128, 256, 512]), []
    for count in counts:
        points, _ = evenly(box, [count], endpoint=border != "periodic")
        errors.append(np.abs(S.sampled(np.sin(points[:, 0] + 0.3), box, border).value(x) - np.sin(x[:, 0] + 0.3)).max())
    spacing = 1.0 / (counts - (border != "periodic"))
    assert np.polyfit(np.log(spacing), np.log(errors), 1)[0] == pytest.approx(4, abs=0.15)


def test_periodic_heights_repeat_without_end():
    line, sheet = S.sampled(LINE, BOX, "periodic"), S.sampled(SHEET, SIDES, "periodic")
    x = RNG.uniform(-1, 2, (30, 1))
    for turns in (-5, -1, 1, 40):
        for call in ("value", "gradient", "hessian"):
            close(getattr(line, call)(x + 3 * turns), getattr(line, call)(x), 1e-9)
    x = RNG.uniform([-1, 0.5], [2, 1.5], (30, 2))
    for turns in ([1, 0], [0, 1], [-3, 7]):
        close(sheet.value(x + np.array([3, 1]) * turns), sheet.value(x), 1e-11)


def test_the_graph_ends_at_the_box():
    line, sheet = S.sampled(LINE, BOX), S.sampled(SHEET, SIDES)
    assert np.isfinite(line.value([[-1.0], [2.0], [0.3]])).all()
    assert np.isfinite(sheet.value([[-1.0, 0.5], [2.0, 1.5], [-1.0, 1.5]])).all()
    out = [[-1.0 - 1e-12, 1.0], [2.0 + 1e-12, 1.0], [0.0, 0.5 - 1e-12], [0.0, 1e300], [-1e300, 9.0]]
    for call in (sheet.value, sheet.gradient, sheet.hessian):
        assert np.isnan(call(out)).all()
    assert np.isnan(line.value([[2.1], [-1.1]])).all()
    assert S.sampled(LINE, BOX).functions(Numeric(1)).domain is not None
    assert S.sampled(LINE, BOX, "periodic").functions(Numeric(1)).domain is None


@functools.cache
def ending(functions, numeric):
    """The kernel that asks where the graph ends."""
    parameters, vector, domain = functions.parameters, numeric.vector, functions.domain

    @wp.kernel(module="unique", enable_backward=False)
    def end(
        # in:
        p: parameters,
        # out:
        corners: wp.array(dtype=vector),
    ):
        low, high = domain(p)
        corners[0] = low
        corners[1] = high

    return end


def test_kernels_know_where_the_graph_ends():
    surface, numeric = S.sampled(SHEET, SIDES), Numeric(2)
    corners = wp.zeros(2, dtype=numeric.vector, device="cpu")
    arguments = [surface.parameters(numeric, "cpu")]
    wp.launch(ending(surface.functions(numeric), numeric), 1, arguments, [corners], device="cpu")
    assert corners.numpy().T.tolist() == SIDES


def test_one_set_of_kernels_serves_all_data_of_a_kind():
    def kernels(*args):
        return S.sampled(*args).functions(Numeric(2))

    assert kernels(SHEET, SIDES) is kernels(np.ones((5, 4)), [[0.0, 1.0], [2.0, 3.0]])
    assert kernels(SHEET, SIDES) is not kernels(SHEET, SIDES, "periodic")


def test_heights_that_change_later_change_nothing():
    heights = LINE.copy()
    surface = S.sampled(heights, BOX)
    before = surface.value([[0.3]])
    heights[:] = 0
    assert surface.value([[0.3]]) == before
    assert surface.recipe["heights"] == LINE.tolist()


@pytest.mark.parametrize("scale", [1e-300, 1e299])
def test_heights_of_any_size(scale):
    surface = S.sampled(LINE * scale, BOX)
    x = np.linspace(-1, 2, 31)[:, None]
    np.testing.assert_allclose(surface.value(x) / scale, S.sampled(LINE, BOX).value(x), rtol=1e-11, atol=1e-11)


def test_a_ball_rolls_on_the_sampled_sine_as_on_the_sine():
    box = [[-3.0, 6.0]]
    points, _ = evenly(box, [2001])
    start = [[0.9], [2.0], [3.3]]
    rolled = {}
    for name, surface in {"sampled": S.sampled(np.sin(points[:, 0]), box), "sine": S.sine()}.items():
        rolled[name] = rb.simulate(
            surface.scaled(1.5), rb.Ball(radius=0.5), rb.FootpointRBO(lr=0.02), start=start, steps=100, gap=None
        )
    assert np.abs(rolled["sine"].foot[-1] - rolled["sine"].foot[0]).min() > 0.1
    for part in ("foot", "center", "loss"):
        close(getattr(rolled["sampled"], part), getattr(rolled["sine"], part), 1e-6)
    assert rolled["sampled"].status.tolist() == rolled["sine"].status.tolist()


def test_single_precision_keeps_the_heights():
    box = [[-3.0, 6.0], [-3.0, 6.0]]
    _, axes = evenly(box, [200, 200])
    surface = S.sampled(1e4 + np.sin(axes[0])[:, None] * np.cos(axes[1]), box)
    method = rb.FootpointRBO(lr=0.02)
    runs = [
        rb.simulate(surface, rb.Ball(0.3), method, start=[[0.5, 0.25]], steps=20, dtype=dtype, gap=None)
        for dtype in ("float64", "float32")
    ]
    assert runs[1].foot.dtype == np.float32
    assert np.abs(runs[0].foot[-1] - runs[0].foot[0]).max() > 0.05
    np.testing.assert_allclose(runs[1].foot, runs[0].foot, atol=1e-4)


def test_a_recipe_builds_it_again():
    for surface in (S.sampled(LINE, BOX), S.sampled(SHEET, SIDES, border="periodic", loss_scale=2.0)):
        again = S.from_recipe(json.loads(json.dumps(surface.recipe)))
        assert again.recipe == surface.recipe
        assert again.builder is surface.builder
        np.testing.assert_array_equal(again.params["coefficients"], surface.params["coefficients"])


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"heights": [1.0, 2.0, np.nan, 3.0], "box": BOX}, "heights"),
        ({"heights": [1.0, 2.0, 3.0], "box": BOX}, "heights"),
        ({"heights": np.ones((5, 3)), "box": SIDES}, "heights"),
        ({"heights": np.ones((4, 4, 4)), "box": [*SIDES, [0.0, 1.0]]}, "heights"),
        ({"heights": [[1.0, 2.0, 3.0, 4.0], [1.0]], "box": SIDES}, "heights"),
        ({"heights": LINE * 1e305, "box": BOX}, "heights"),
        ({"heights": LINE, "box": SIDES}, "box"),
        ({"heights": SHEET, "box": BOX}, "box"),
        ({"heights": LINE, "box": [-1.0, 2.0]}, "box"),
        ({"heights": LINE, "box": []}, "box"),
        ({"heights": LINE, "box": [[2.0, 2.0]]}, "box"),
        ({"heights": LINE, "box": [[2.0, 1.0]]}, "box"),
        ({"heights": LINE, "box": [[0.0, np.inf]]}, "box"),
        ({"heights": LINE, "box": [[1e16, 1e16 + 4]]}, "box"),
        ({"heights": LINE, "box": [[-1.5e308, 1.5e308]]}, "box"),
        ({"heights": LINE, "box": BOX, "border": "natural"}, "border"),
        ({"heights": LINE, "box": BOX, "loss_scale": 0.0}, "loss_scale"),
    ],
)
def test_what_is_refused(arguments, field, no_compiling):
    with pytest.raises(rb.InputError) as error:
        S.sampled(**arguments)
    assert error.value.field == field
