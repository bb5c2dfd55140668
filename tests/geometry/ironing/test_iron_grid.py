"""Ironed grids are the dilation by a ball, sum for sum: against brute force, SciPy, closed forms and identities."""

import numpy as np
import pytest
import warp as wp
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import grey_dilation

from rollingball.core.errors import InputError
from rollingball.geometry.ironing.dilation import cell_kernel, plain_plane_below, summary_kernel
from rollingball.geometry.ironing.iron_grid import ROWS, dilate, iron_grid


def brute(heights, spacing, radius, border="truncated"):
    """The definition, one offset after the other in row-major order: ironed heights and the first contact."""
    field = heights if heights.ndim == 2 else heights[None]
    steps = np.broadcast_to(spacing, heights.ndim)
    spans = []
    for count, step in zip(field.shape, (steps[0], steps[-1]), strict=True):
        most = count // 2 if border == "periodic" else count - 1
        spans.append(range(-min(most, int(radius / step) + 1), min(most, int(radius / step) + 1) + 1))
    ironed = np.full(field.shape, -np.inf, field.dtype)
    contact = np.zeros((*field.shape, 2), int)
    place = np.stack(np.indices(field.shape), -1)
    for d_y in spans[0]:
        for d_x in spans[1]:
            square = (d_y * steps[0]) ** 2 + (d_x * steps[-1]) ** 2
            if square > radius**2:
                continue
            index = place + np.array([d_y, d_x])
            inside = ((index >= 0) & (index < field.shape)).all(-1) | (border == "periodic")
            index %= field.shape
            risen = field[index[..., 0], index[..., 1]] + field.dtype.type(np.sqrt(radius**2 - square))
            better = inside & (risen > ironed)
            ironed[better] = risen[better]
            contact[better] = index[better]
    return (ironed, contact) if heights.ndim == 2 else (ironed[0], contact[0, :, 1:])


def brute_rows(heights, radius, rows):
    """Some rows of the truncated dilation with spacing 1, each a maximum over the whole grid."""
    y, x = np.indices(heights.shape)
    out = np.empty((len(rows), heights.shape[1]), heights.dtype)
    for k, row in enumerate(rows):
        for column in range(heights.shape[1]):
            rest = radius**2 - ((y - row) ** 2.0 + (x - column) ** 2.0)
            cap = np.sqrt(np.maximum(rest, 0)).astype(heights.dtype)
            out[k, column] = np.where(rest >= 0, heights + cap, -np.inf).max()
    return out


def wells(count, cells=1.0):
    random = np.random.default_rng(5)
    y, x = np.meshgrid(*2 * [np.linspace(-3, 3, count)], indexing="ij")
    f = x**2 + y**2
    for c in random.uniform(-3, 3, (40, 2)):
        f -= np.exp(-((y - c[0]) ** 2 + (x - c[1]) ** 2) / 0.05)
    return f * cells


@st.composite
def cases(draw):
    """Heights of several kinds and sizes, spacings and radii, of small grids that do not fill their blocks."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ndim = draw(st.sampled_from([1, 2, 2]))
    shape = tuple(draw(st.integers(1, 35)) for _ in range(ndim))
    kind = draw(st.sampled_from(["noise", "walk", "whole", "plane", "spike"]))
    heights = random.normal(size=shape)
    if kind == "walk":
        heights = np.cumsum(heights, -1)
    elif kind == "plane":
        heights = sum(slope * axis for slope, axis in zip(random.normal(size=ndim), np.indices(shape), strict=True))
    elif kind == "spike":
        heights[tuple(random.integers(0, shape))] = 50
    heights = heights * 10.0 ** draw(st.integers(-3, 3))
    if kind == "whole":
        heights = np.round(heights)  # many ties
    spacing = random.uniform(0.1, 2.0, ndim) if draw(st.booleans()) else np.ones(ndim)
    radius = float(spacing.max() * draw(st.sampled_from([1.0, 1.5, 3.0, 5.0, 7.3, 20.0, 1e3, 1e6])))
    return heights.astype(draw(st.sampled_from(["float64", "float32"]))), spacing, radius


@pytest.mark.parametrize("border", ["truncated", "periodic"])
@given(case=cases())
def test_a_grid_is_ironed_sum_for_sum(border, case):
    heights, spacing, radius = case
    found = iron_grid(heights, spacing, radius, border=border)
    ironed, contact = brute(heights, spacing, radius, border)
    assert found.heights.dtype == heights.dtype
    assert found.heights.shape == heights.shape
    assert found.contact.dtype == np.int32
    np.testing.assert_array_equal(found.heights, ironed)
    np.testing.assert_array_equal(found.contact, contact)  # where samples tie, the first offset


@pytest.mark.parametrize("border", ["truncated", "periodic"])
@given(case=cases())
def test_the_kernel_of_a_device_gives_the_same(border, case):
    heights, spacing, radius = case
    field = heights if heights.ndim == 2 else heights[None]
    steps = (float(spacing[0]), float(spacing[-1]))
    here, there = (dilate(field, steps, radius, border == "periodic", "cpu", by_cells=kind) for kind in (False, True))
    np.testing.assert_array_equal(here[0], there[0])
    np.testing.assert_array_equal(here[1], there[1])


LARGE = {
    "noise": np.random.default_rng(0).normal(size=(150, 170)),
    "tall noise": np.random.default_rng(1).normal(size=(150, 170)) * 100,
    "levels": np.random.default_rng(2).integers(0, 9, (150, 170)).astype(float),
    "wells": wells(150, 25.0),
    "steep wells": wells(150, 2500.0),
    "far from zero": wells(150, 25.0) + 1e6,
    "flat": np.zeros((150, 170)),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("radius", [3.0, 21.0, 70.5])
def test_blocks_left_out_touch_nothing(name, radius, dtype):
    heights = LARGE[name].astype(dtype)
    found = iron_grid(heights, 1.0, radius)
    if radius < 10:
        ironed, contact = brute(heights, 1.0, radius)
        np.testing.assert_array_equal(found.heights, ironed)
        np.testing.assert_array_equal(found.contact, contact)
    else:
        rows = [0, 7, 80, 149]
        np.testing.assert_array_equal(found.heights[rows], brute_rows(heights, radius, rows))


@pytest.mark.parametrize("border", ["truncated", "periodic"])
def test_scipy_dilates_alike(border):
    heights, radius = LARGE["noise"], 6.5
    offsets = np.arange(-6, 7.0)
    square = offsets[:, None] ** 2 + offsets**2
    ball = np.sqrt(np.maximum(radius**2 - square, 0))
    mode, value = ("wrap", 0.0) if border == "periodic" else ("constant", -np.inf)
    expected = grey_dilation(heights, footprint=square <= radius**2, structure=ball, mode=mode, cval=value)
    np.testing.assert_array_equal(iron_grid(heights, 1.0, radius, border=border).heights, expected)


@pytest.mark.parametrize("slope", [(0.0, 0.0), (0.3, -0.5), (2.0, 1.0)])
def test_a_plane_rises_by_radius_times_w(slope):
    gaps = []
    for count in (40, 80, 160):
        step, radius = 4.0 / count, 0.7
        y, x = (np.indices((count, count)) * step) - 2
        found = iron_grid(slope[0] * y + slope[1] * x, step, radius).heights
        exact = slope[0] * y + slope[1] * x + radius * np.sqrt(1 + np.dot(slope, slope))
        inner = slice(count // 4, -count // 4)  # the ball touches a sample of the grid
        gaps.append((exact - found)[inner, inner].max())
        assert (exact - found)[inner, inner].min() >= -1e-12
        # some sample is within half a cell of the true contact along each axis; the cap bends by (1 + g^2)^1.5 / radius
        assert gaps[-1] <= (1 + np.dot(slope, slope)) ** 1.5 / radius * step**2 / 4 + 1e-12


def test_a_round_bowl_is_ironed_to_a_smaller_one():
    # balls of radius 1 in a bowl of radius 3: the centres lie on a sphere of radius 2
    x = np.linspace(-2.5, 2.5, 5001)
    found = iron_grid(-np.sqrt(9 - x**2), x[1] - x[0], 1.0)
    inner = np.abs(x) < 1.5
    np.testing.assert_allclose(found.heights[inner], -np.sqrt(4 - x[inner] ** 2), rtol=0, atol=2e-6)
    np.testing.assert_allclose(x[found.contact[inner, 0]], 1.5 * x[inner], rtol=0, atol=2e-3)


@pytest.mark.parametrize(("radius", "exact"), [(0.9, 2.0), (2.0, 1.741670), (5.0, 0.868529), (20.0, 0.236234)])
def test_a_sine_is_ironed_as_the_theory_says(radius, exact):
    count = 8192
    found = iron_grid(np.sin(np.arange(count) * (2 * np.pi / count)), 2 * np.pi / count, radius, border="periodic")
    assert found.heights.max() - found.heights.min() == pytest.approx(exact, abs=2e-6)


def test_ironing_twice_is_ironing_once_by_both_radii():
    gaps = []
    for count in (100, 200, 400):
        step = 6.0 / (count - 1)
        twice = iron_grid(iron_grid(wells(count), step, 0.3).heights, step, 0.5).heights
        once = iron_grid(wells(count), step, 0.8).heights
        assert (twice <= once + 1e-12).all()
        gaps.append((once - twice)[count // 4 : -count // 4, count // 4 : -count // 4].max())
    assert gaps[1] < gaps[0] / 2
    assert gaps[2] < gaps[1] / 2


def test_ironing_commutes_with_the_maximum():
    a, b = wells(90, 15.0), LARGE["noise"][:90, :90]
    both = iron_grid(np.maximum(a, b), 1.0, 9.0).heights
    np.testing.assert_array_equal(both, np.maximum(iron_grid(a, 1.0, 9.0).heights, iron_grid(b, 1.0, 9.0).heights))


def test_a_constant_only_adds():
    heights = np.round(wells(90, 15.0) * 2**10) / 2**10
    low, high = iron_grid(heights, 1.0, 9.0), iron_grid(heights + 1024, 1.0, 9.0)
    np.testing.assert_allclose(high.heights, low.heights + 1024, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("border", ["truncated", "periodic"])
def test_every_height_is_the_sum_at_its_contact(border, dtype):
    heights, spacing, radius = wells(101, 20.0).astype(dtype), np.array([1.0, 0.5]), 13.0
    found = iron_grid(heights, spacing, radius, border=border)
    away = np.abs(found.contact - np.stack(np.indices(heights.shape), -1))
    if border == "periodic":
        away = np.minimum(away, np.array(heights.shape) - away)
    square = ((away * spacing) ** 2).sum(-1)
    assert (square <= radius**2).all()
    touched = heights[found.contact[..., 0], found.contact[..., 1]]
    np.testing.assert_array_equal(touched + np.sqrt(radius**2 - square).astype(dtype), found.heights)


def test_a_periodic_grid_has_no_place_of_its_own():
    heights = LARGE["noise"][:61, :83]
    found = iron_grid(heights, 1.0, 9.0, border="periodic")
    moved = iron_grid(np.roll(heights, (17, -5), (0, 1)), 1.0, 9.0, border="periodic")
    np.testing.assert_array_equal(moved.heights, np.roll(found.heights, (17, -5), (0, 1)))
    expected = (np.roll(found.contact, (17, -5), (0, 1)) + np.array([17, -5])) % heights.shape
    np.testing.assert_array_equal(moved.contact, expected)


@pytest.mark.parametrize("border", ["truncated", "periodic"])
def test_no_axis_or_direction_is_special(border):
    heights, spacing = LARGE["tall noise"][:61, :83], np.array([1.0, 1.7])
    found = iron_grid(heights, spacing, 9.0, border=border).heights
    for axis in (0, 1):
        flipped = iron_grid(np.flip(heights, axis), spacing, 9.0, border=border).heights
        np.testing.assert_array_equal(np.flip(flipped, axis), found)
    np.testing.assert_array_equal(iron_grid(heights.T, spacing[::-1], 9.0, border=border).heights.T, found)
    row = iron_grid(heights[3], 1.7, 9.0, border=border)
    for shape in ((1, -1), (-1, 1)):
        lone = iron_grid(heights[3].reshape(shape), 1.7, 9.0, border=border)
        np.testing.assert_array_equal(lone.heights.ravel(), row.heights)
        np.testing.assert_array_equal(lone.contact.max(-1).ravel(), row.contact[:, 0])


def test_threads_change_nothing():
    heights = LARGE["levels"]
    first, *others = (iron_grid(heights, 1.0, 12.0, threads=threads) for threads in (1, 2, 7, None))
    for other in others:
        np.testing.assert_array_equal(other.heights, first.heights)
        np.testing.assert_array_equal(other.contact, first.contact)


def test_the_scale_of_the_numbers_does_not_matter():
    heights = LARGE["noise"][:40, :40]
    found = iron_grid(heights, 1.0, 5.0).heights
    for scale in (2.0**-900, 2.0**900):
        np.testing.assert_array_equal(iron_grid(heights * scale, scale, 5.0 * scale).heights, found * scale)


def test_whole_numbers_and_lists_become_float64():
    found = iron_grid([[0, 3], [1, 0]], 1, 1)
    np.testing.assert_array_equal(found.heights, [[3.0, 4.0], [2.0, 3.0]])
    np.testing.assert_array_equal(found.contact, [[[0, 1], [0, 1]], [[1, 0], [0, 1]]])
    assert found.heights.dtype == np.float64


FLAT = np.zeros((4, 5))
BAD = {
    "heights": ([], np.zeros((0, 3)), 1.0, np.zeros((2, 2, 2, 2)), [0.0, np.nan], [np.inf], [True], ["1"], [1j], None),
    "spacing": (0.0, -1.0, np.nan, np.inf, [1.0, 0.0], [1.0, 1.0, 1.0], [], True, "1", None),
    "radius": (0.99, 0.0, -1.0, np.nan, np.inf, [5.0], True, "5", None),
    "border": ("wrap", "", None, 1),
    "device": ("cuda:77", "tpu"),
    "threads": (0, -1, 1.5, True, "2"),
}


@pytest.mark.parametrize(("field", "bad"), [(field, bad) for field in BAD for bad in BAD[field]])
def test_bad_input_is_refused_before_anything_compiles(field, bad, no_compiling):
    arguments = {"heights": FLAT, "spacing": 1.0, "radius": 2.0, field: bad}
    with pytest.raises(InputError, match=rf"^{field}: got"):
        iron_grid(**arguments)


def test_a_ball_narrower_than_one_spacing_is_refused(no_compiling):
    with pytest.raises(InputError, match=r"^radius: got 1\.5"):
        iron_grid(FLAT, [1.0, 2.0], 1.5)
    with pytest.raises(InputError, match=r"^radius: got 1e\+300"):  # no float32 number
        iron_grid(FLAT.astype(np.float32), 1.0, 1e300)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rows", [1, ROWS])
def test_the_kernels_compile_for_a_gpu_without_one(rows, dtype):
    for kernel in (cell_kernel(dtype, rows), summary_kernel(dtype, rows, plain_plane_below(dtype, rows))):
        built = wp.compile_aot_module(kernel.module, arch=90, use_ptx=True)
        assert all(".visible .entry" in path.read_text() for path in built)


@pytest.mark.cuda
@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("border", ["truncated", "periodic"])
def test_a_device_agrees_with_the_cpu(cuda, name, border):
    here, there = (iron_grid(LARGE[name], 1.0, 21.0, border=border, device=device) for device in ("cpu", cuda))
    np.testing.assert_array_equal(there.heights, here.heights)
    np.testing.assert_array_equal(there.contact, here.contact)
