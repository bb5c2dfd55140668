"""Every surface of the catalogue against its definition in plain numpy, and what the factories refuse."""

import itertools
import json
from functools import partial

import numpy as np
import pytest

import rollingball as rb

S = rb.surfaces
RNG = np.random.default_rng(7)
TILT = RNG.normal(size=8)
SQUARE = RNG.normal(size=(8, 8))
WAVES = RNG.normal(size=(5, 8))
SLOPES = RNG.normal(size=(4, 8))
OFFSETS = RNG.normal(size=4) / 3
WELLS = np.random.RandomState(0).uniform(-1, 1, (70, 8))
DATA_X, DATA_Y = np.linspace(0.5, 4, 9), np.cos(np.arange(9.0))


# The definitions, of one point x (d,). All but max of planes are analytic, so they take complex x too.


def plane(x):
    return TILT[: len(x)] @ x + 0.3


def quadratic(x):
    a = SQUARE[: len(x), : len(x)]
    return x @ a @ x / 2 + TILT[: len(x)] @ x - 0.7


def sine(x):
    return np.sum(1.5 * np.sin(2.5 * x))


def cubic(x):
    return np.sum(-0.7 * x**3)


def double_well(x):
    return 1.3 * (x[0] ** 2 - 1) ** 2 + 0.2 * x[0] + np.sum(x[1:] ** 2) / 2


def bowl(x):
    return 1.5 - np.sqrt(1.5**2 - np.sum(x**2))


def dome(x):
    return np.sqrt(1.5**2 - np.sum(x**2))


def rosenbrock(x):
    return sum(20 * (x[i + 1] - x[i] ** 2) ** 2 + (0.8 - x[i]) ** 2 for i in range(len(x) - 1))


def rastrigin(x):
    return np.sum(x**2 + 3 * (1 - np.cos(2 * np.pi * x)))


def ackley(x):
    cone = -20 * np.exp(-0.2 * np.sqrt(np.mean(x**2)))
    return cone - np.exp(np.mean(np.cos(2 * np.pi * x))) + 20 + np.e


def himmelblau(x):
    return (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2


def whitley(x):
    y = np.array([100 * (a**2 - b) ** 2 + (1 - b) ** 2 for a in x for b in x])
    return np.sum(y**2 / 4000 - np.cos(y) + 1)


def formula(x):
    return 0.3 * x[0] ** 2 + np.sin(3 * x[1]) * x[0]


def max_of_planes(x):
    heights = SLOPES[:, : len(x)] @ x + OFFSETS
    return heights[np.argmax(heights.real)]


def cosine_sum(x):
    return sum(np.arange(1, 6) / 4 * np.cos(WAVES[:, : len(x)] @ x + OFFSETS[0]))


def riemann(x, terms=10):
    return sum(np.sin(k**2 * x[0]) / k**2 for k in range(1, terms + 1))


def weierstrass(x, terms=4):
    return sum(0.4**n * np.cos(3.5**n * np.pi * x[0]) for n in range(terms))


def sine_mse(x):
    return np.mean((DATA_Y - np.sin(x[0] * DATA_X)) ** 2)


def wells(x, width=0.4, centers=WELLS):
    away = x - centers[:, : len(x)]
    return np.sum(x**2) - np.sum(np.exp(-np.sum(away**2, axis=1) / width**2))


UNITS = np.array([0.5, 2.0, 1.5])


def stretched(x):
    return cubic(UNITS[: len(x)] * x)


def sampled(x):  # a cubic in each coordinate, which the spline through its heights is
    return np.prod(0.3 * x**3 - x + 0.7)


def grid_of(define, dim):
    """Heights of a definition and their box."""
    axes = [np.linspace(-2.1, 2.2, 9 + 2 * axis) for axis in range(dim)]
    heights = [define(np.array(point)) for point in itertools.product(*axes)]
    return np.reshape(heights, [len(axis) for axis in axes]), [[-2.1, 2.2]] * dim


# name: how it is built in d dimensions, its definition, the dimensions, and how far out the points lie
CASES = {
    "plane": (lambda d: S.plane(TILT[:d], 0.3), plane, (1, 3, 8), 3.0),
    "quadratic": (lambda d: S.quadratic(SQUARE[:d, :d], TILT[:d], -0.7), quadratic, (1, 2, 8), 2.0),
    "sine": (lambda d: S.sine(d, 1.5, 2.5), sine, (1, 2, 8), 3.0),
    "cubic": (lambda d: S.cubic(d, -0.7), cubic, (1, 3), 2.0),
    "double-well": (lambda d: S.double_well(d, 1.3, 0.2), double_well, (1, 2, 8), 1.5),
    "bowl": (lambda d: S.bowl(d, 1.5), bowl, (1, 2, 8), 0.4),
    "dome": (lambda d: S.dome(d, 1.5), dome, (1, 2, 8), 0.4),
    "rosenbrock": (lambda d: S.rosenbrock(d, 0.8, 20.0), rosenbrock, (2, 3, 8), 1.5),
    "rastrigin": (lambda d: S.rastrigin(d, 3.0), rastrigin, (1, 2, 8), 2.0),
    "ackley": (S.ackley, ackley, (1, 2, 8), 2.0),
    "himmelblau": (lambda d: S.himmelblau(), himmelblau, (2,), 4.0),
    "whitley": (S.whitley, whitley, (1, 2, 3), 0.7),
    "formula": (lambda d: S.formula("a*x**2 + sin(3*y)*x", "x y", {"a": 0.3}), formula, (2,), 2.0),
    "max-of-planes": (lambda d: S.max_of_planes(SLOPES[:, :d], OFFSETS), max_of_planes, (1, 2, 8), 2.0),
    "cosine-sum": (
        lambda d: S.cosine_sum(np.arange(1, 6) / 4, WAVES[:, :d], np.full(5, OFFSETS[0])), cosine_sum, (1, 3, 8), 2.0
    ),
    "riemann": (lambda d: S.riemann(10), riemann, (1,), 3.0),
    "weierstrass": (lambda d: S.weierstrass(0.4, 3.5, 4), weierstrass, (1,), 2.0),
    "sine-mse": (lambda d: S.sine_mse(DATA_X, DATA_Y), sine_mse, (1,), 3.0),
    "sampled": (lambda d: S.sampled(*grid_of(sampled, d)), sampled, (1, 2), 2.0),
    "gaussian-wells": (lambda d: S.gaussian_wells(WELLS[:, :d], width=0.4), wells, (1, 2, 3, 8), 1.0),
    "stretched": (lambda d: S.cubic(d, -0.7).stretched(UNITS[:d]), stretched, (1, 3), 1.5),
}  # fmt: skip
EACH = [(name, dim) for name, (_, _, dims, _) in CASES.items() for dim in dims]
ONCE = [(name, dims[-1]) for name, (_, _, dims, _) in CASES.items()]


def sample(name, dim):
    """A surface, its definition, and six points."""
    make, define, _, spread = CASES[name]
    return make(dim), define, np.random.default_rng(dim).uniform(-spread, spread, (6, dim))


def slope_of(f, x):
    return np.array([f(x + 1e-30j * unit).imag / 1e-30 for unit in np.eye(len(x))])


def bend_of(f, x, radius, count=24):
    """The Hessian by Cauchy's formula on a circle, exact but for rounding where f is analytic inside."""
    circle = np.exp(2j * np.pi * np.arange(count) / count)

    def along(direction):
        values = np.array([f(x + radius * z * direction) for z in circle])
        return 2 * np.mean(values * circle**-2).real / radius**2

    units = np.eye(len(x))
    return np.array([[(along(u + v) - along(u - v)) / 4 for v in units] for u in units])


def close(found, expected, tolerance):
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * max(1, np.abs(expected).max()))


def test_every_entry_has_a_case():
    assert set(CASES) == set(S.CATALOGUE)


@pytest.mark.parametrize(("name", "dim"), EACH)
def test_value_gradient_and_hessian_are_those_of_the_definition(name, dim):
    surface, define, x = sample(name, dim)
    assert (surface.name, surface.dim) == (name, dim)
    close(surface.value(x), [define(point) for point in x], 1e-12)
    close(surface.gradient(x), [slope_of(define, point) for point in x], 1e-12)
    # the circle divides the rounding of f by radius^2; a small one for a kink, and for the fast cosines of whitley
    radius = 0.002 if name in ("whitley", "max-of-planes") else 0.02
    close(surface.hessian(x), [bend_of(define, point, radius) for point in x], 1e-9)


@pytest.mark.parametrize(("name", "dim"), ONCE)
def test_shapes(name, dim):
    surface, _, x = sample(name, dim)
    assert isinstance(surface.value(x[0]), float)
    assert surface.gradient(x[0]).shape == (dim,)
    assert surface.hessian(x[0]).shape == (dim, dim)
    assert surface.value(x).shape == (6,)
    assert surface.gradient(x).shape == (6, dim)
    assert surface.hessian(x).shape == (6, dim, dim)
    assert surface.value(x[:1]).shape == (1,)
    assert surface.gradient(x).dtype == np.float64
    for call in (surface.value, surface.gradient, surface.hessian):
        np.testing.assert_array_equal(call(x)[2], call(x[2]))
    close(surface.hessian(x), surface.hessian(x).transpose(0, 2, 1), 1e-15)
    for wrong in (np.zeros(dim + 1), np.zeros((2, dim + 1)), np.zeros((1, 1, dim)), np.full(dim, np.nan), "text"):
        with pytest.raises(rb.InputError, match=r"^x: "):
            surface.value(wrong)


def test_a_number_is_a_point_in_one_dimension():
    assert S.sine().value(0.5) == S.sine().value([0.5]) == pytest.approx(np.sin(0.5), rel=1e-15)


@pytest.mark.parametrize(("name", "dim"), ONCE)
def test_loss_scale_changes_nothing_on_the_host(name, dim):
    surface, _, x = sample(name, dim)
    scaled = surface.scaled(37.5)
    assert (scaled.loss_scale, scaled.recipe["loss_scale"], surface.loss_scale) == (37.5, 37.5, 1.0)
    assert scaled.builder is surface.builder
    for call in ("value", "gradient", "hessian"):
        close(getattr(scaled, call)(x), getattr(surface, call)(x), 1e-15)


@pytest.mark.parametrize(("name", "dim"), ONCE)
def test_a_recipe_builds_the_same_surface(name, dim):
    surface, _, x = sample(name, dim)
    surface = surface.scaled(2.5)
    plain = json.loads(json.dumps(surface.recipe))
    assert plain == surface.recipe
    again = S.from_recipe(plain)
    assert (again.name, again.dim, again.loss_scale, again.recipe) == (name, dim, 2.5, plain)
    assert again.builder is surface.builder
    for call in ("value", "gradient", "hessian"):
        np.testing.assert_array_equal(getattr(again, call)(x), getattr(surface, call)(x))


@pytest.mark.parametrize("terms", [1, 100])
def test_riemann_at_length(terms):
    x = np.linspace(-3, 3, 12)[:, None]
    surface, k2 = S.riemann(terms), np.arange(1, terms + 1) ** 2.0
    np.testing.assert_allclose(surface.value(x), np.sum(np.sin(k2 * x) / k2, axis=1), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(surface.gradient(x)[:, 0], np.sum(np.cos(k2 * x), axis=1), rtol=1e-12, atol=1e-10)
    if terms == 100:
        np.testing.assert_array_equal(S.riemann().value(x), surface.value(x))


def test_weierstrass_at_length():
    x, n = np.linspace(-1, 1, 12)[:, None], np.arange(8)
    expected = np.sum(0.5**n * np.cos(3.0**n * np.pi * x), axis=1)
    np.testing.assert_allclose(S.weierstrass().value(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "dim"), [("bowl", 2), ("dome", 2), ("bowl", 8)])
def test_there_is_no_hemisphere_outside_its_disk(name, dim):
    surface = CASES[name][0](dim)
    x = np.zeros((3, dim))
    x[:, -1] = 1.5 - 1e-9, 1.5 + 1e-9, -100.0
    assert np.isfinite(surface.value(x)).tolist() == [True, False, False]
    for found in (surface.value(x[1:]), surface.gradient(x[1:])[:, -1], surface.hessian(x[1:])[:, -1, -1]):
        assert np.isnan(found).all()


@pytest.mark.parametrize("first", [1.0, -1.0])
def test_where_planes_tie_the_gradient_is_that_of_the_first(first):
    valley = S.max_of_planes([[first, 0.5], [-first, 0.5], [0.0, 0.5]])
    assert valley.gradient([0.0, 3.0]).tolist() == [first, 0.5]
    assert valley.value([0.0, 3.0]) == 1.5
    assert not valley.hessian([0.0, 3.0]).any()
    for x in (1e-9, -1e-9):
        assert valley.gradient([x, 0.0]).tolist() == [np.sign(x), 0.5]


@pytest.mark.parametrize("offset", [0.5, [0.5], (0.5, 0.5)])
def test_one_offset_does_for_all_planes(offset):
    assert S.max_of_planes([[1.0], [-1.0]], offset).value([2.0]) == 2.5


def test_the_tip_of_ackley():
    tip = S.ackley(2)
    assert tip.value([0.0, 0.0]) == pytest.approx(0, abs=1e-14)
    assert tip.gradient([0.0, 0.0]).tolist() == [0.0, 0.0]
    np.testing.assert_allclose(tip.hessian([0.0, 0.0]), np.eye(2) * np.e * 2 * np.pi**2, rtol=1e-14)


def test_the_symmetric_part_of_a_matrix_counts():
    assert S.quadratic([[1.0, 4.0], [0.0, 2.0]]).hessian([9.0, 9.0]).tolist() == [[1.0, 2.0], [2.0, 2.0]]


def test_wells_of_the_authors():
    surface, centers = S.gaussian_wells(), np.random.RandomState(0).uniform(-3, 3, (1000, 2))
    stored = surface.params["centers"].points
    np.testing.assert_array_equal(stored, centers)
    x = np.concatenate([centers[:20] + 0.03, np.random.default_rng(1).uniform(-3, 3, (20, 2))])
    define = partial(wells, width=0.1, centers=centers)
    close(surface.value(x), [define(point) for point in x], 1e-12)
    close(surface.gradient(x), [slope_of(define, point) for point in x], 1e-12)
    other = S.gaussian_wells(count=3, seed=5, dim=3)
    np.testing.assert_array_equal(other.params["centers"].points, np.random.RandomState(5).uniform(-3, 3, (3, 3)))


def test_width_is_sigma_without_a_two():
    one = S.gaussian_wells([[0.0, 0.0]], width=0.5)
    assert one.value([0.5, 0.0]) == pytest.approx(0.25 - np.exp(-1), rel=1e-15)


def test_far_from_every_well_there_is_only_the_bowl():
    surface = S.gaussian_wells()
    assert surface.value([50.0, 0.0]) == 2500.0
    assert surface.gradient([50.0, 0.0]).tolist() == [100.0, 0.0]
    assert surface.hessian([50.0, 0.0]).tolist() == [[2.0, 0.0], [0.0, 2.0]]


@pytest.mark.parametrize(
    ("ball", "method", "tolerance"),
    [(None, rb.GradientDescent(lr=0.01), 2e-6), (rb.Ball(radius=0.05), rb.FootpointRBO(lr=0.01), 2e-5)],
    ids=["gradient", "hessian"],
)
def test_wells_in_single_precision(ball, method, tolerance):
    # starts that float32 holds exactly, one of them beside a well; Newton's step needs the Hessian
    start = np.array([[1.0, 0.5], [-2.0, 0.25], np.round(WELLS[0, :2] * 64) / 64])
    surface = S.gaussian_wells(WELLS[:, :2], width=0.4)
    wide, narrow = (
        rb.simulate(surface, ball, method, start=start, steps=1, dtype=dtype, gap=None)
        for dtype in ("float64", "float32")
    )
    assert narrow.foot.dtype == np.float32
    assert np.abs(wide.foot[1] - wide.foot[0]).max() > 0.01
    np.testing.assert_allclose(narrow.loss, wide.loss, atol=20 * tolerance)
    np.testing.assert_allclose(narrow.foot, wide.foot, atol=tolerance)


# What factories refuse, by the name of the argument. A list where a number belongs, and the other way round.

NUMBERS = [np.nan, np.inf, -np.inf, "text", None, [1.0, 2.0], [[1.0]]]
WHOLES = [0, -1, 1.5, True, "2", np.nan, None, [2], 2**40]
VECTORS = [[np.nan, 1.0], [1.0, np.inf], [[1.0, 2.0]], [], "text", [[1.0], [1.0, 2.0]]]
MATRICES = [[[np.nan, 1.0]], [[1.0, np.inf]], [1.0, 2.0], 3.0, [[[1.0]]], [], [[]], "text", [[1.0], [1.0, 2.0]]]
REFUSED = {
    **dict.fromkeys(
        ("amplitude", "frequency", "coefficient", "depth", "tilt", "a", "b", "offset", "constant"), NUMBERS
    ),
    **dict.fromkeys(("radius", "width", "loss_scale"), (*NUMBERS, 0.0, -1.0)),
    **dict.fromkeys(("dim", "terms", "count"), WHOLES),
    "seed": [-1, 1.5, True, "2", None],
    **dict.fromkeys(("slope", "x", "y"), (*VECTORS, 3.0j)),
    **dict.fromkeys(("linear", "amplitudes", "phases"), (*VECTORS, np.ones(3))),
    "offsets": [*VECTORS[:3], "text", np.ones(3), None],
    **dict.fromkeys(("slopes", "frequencies", "centers"), MATRICES),
    "matrix": [*MATRICES, np.ones((2, 3))],
    "heights": [
        *MATRICES,
        [1.0, 2.0, 3.0],
        [1.0, 2.0, np.nan, 4.0],
        np.ones((3, 9)),
        np.ones((4, 4, 4)),
    ],
    "box": [
        *MATRICES,
        [0.0, 1.0],
        [[0.0, 1.0]] * 2,
        [[1.0, 1.0]],
        [[1.0, 0.0]],
        [[1e17, 1e17 + 16]],
        [[-1e308, 1e308]],
    ],
    "surface": [3.0, "sine", None, [{"type": "sine"}]],
    "units": [*VECTORS, [0.0, 1.0], [-1.0, 1.0], [1.0, 2.0, 3.0]],
    "border": ["natural", None, 3.0, ["periodic"], ""],
    "missing": ["fill", None, True, np.nan, ["skip"], np.array(["skip", "refuse"])],
    "compiled": ["yes", 1, None, 0.0, [True], np.array([True, False])],
}
GOOD = {
    "plane": {"slope": [1.0, 2.0]},
    "quadratic": {"matrix": np.eye(2)},
    "max-of-planes": {"slopes": np.eye(2)},
    "cosine-sum": {"amplitudes": [1.0, 2.0], "frequencies": np.eye(2)},
    "sine-mse": {"x": [1.0, 2.0], "y": [1.0, 2.0]},
    "stretched": {"surface": {"type": "sine", "dim": 2}, "units": [1.0, 2.0]},
    "formula": {"text": "x"},
    "sampled": {"heights": [1.0, 2.0, 0.0, 1.0], "box": [[0.0, 1.0]]},
}
ARGUMENTS = [
    (name, argument)
    for name in CASES
    for argument in (*S.from_recipe({"type": name, **GOOD.get(name, {})}).recipe,)
    if argument not in ("type", "text", "variables", "constants")
]


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_factories_refuse_what_they_cannot_use(name, argument):
    for wrong in REFUSED[argument]:
        with pytest.raises(rb.InputError) as error:
            S.CATALOGUE[name](**{**GOOD.get(name, {}), argument: wrong})
        # x and y must be as long as each other, and amplitudes as many as frequencies: either may be named
        assert error.value.field == argument or {name, argument} & {"sine-mse", "cosine-sum"}, wrong


@pytest.mark.parametrize(
    ("name", "arguments", "field"),
    [
        ("rosenbrock", {"dim": 1}, "dim"),
        ("weierstrass", {"a": 0.0}, "a"),
        ("weierstrass", {"a": 1.0}, "a"),
        ("sine-mse", {"x": [1.0, 2.0], "y": [1.0, 2.0, 3.0]}, "y"),
        ("cosine-sum", {"amplitudes": [1.0, 2.0, 3.0], "frequencies": [[1.0]]}, "amplitudes"),
        ("plane", {"slope": 3.0}, "slope"),
    ],
)
def test_factories_refuse_what_does_not_fit(name, arguments, field):
    with pytest.raises(rb.InputError) as error:
        S.CATALOGUE[name](**arguments)
    assert error.value.field == field


@pytest.mark.parametrize("recipe", [{"type": "sphere"}, {}, {"type": None}, {"type": ["sine"]}, {"type": {}}])
def test_unknown_types(recipe):
    with pytest.raises(rb.InputError, match=r"gaussian-wells.*sine") as error:
        S.from_recipe(recipe)
    assert error.value.field == "surface.type"


@pytest.mark.parametrize("name", CASES)
def test_unknown_arguments(name):
    with pytest.raises(rb.InputError) as error:
        S.from_recipe({"type": name, **GOOD.get(name, {}), "colour": "red"})
    assert error.value.field == "surface.colour"


@pytest.mark.parametrize(("name", "argument"), [(name, argument) for name, given in GOOD.items() for argument in given])
def test_missing_arguments(name, argument):
    with pytest.raises(rb.InputError, match=rf"\b{argument}\b"):
        S.from_recipe({"type": name, **{key: value for key, value in GOOD[name].items() if key != argument}})


def test_a_recipe_is_left_as_it_was():
    recipe = {"type": "sine", "dim": 2}
    S.from_recipe(recipe)
    assert recipe == {"type": "sine", "dim": 2}


def test_a_stretched_surface_keeps_the_loss_scale_and_is_not_stretched_again():
    surface = S.sine(2).scaled(3.0).stretched(2.0)
    assert surface.loss_scale == 3.0
    assert surface.recipe["units"] == 2.0
    with pytest.raises(rb.InputError, match=r"^surface: got 'stretched'.*multiply the units"):
        surface.stretched(2.0)
    nested = {"type": "stretched", "units": 1.0, "surface": surface.recipe}
    with pytest.raises(rb.InputError, match=r"^surface: got 'stretched'"):
        S.from_recipe(nested)


def test_a_ball_on_a_stretched_surface_is_an_ellipsoid():
    """Its contact is the highest point under the cap sqrt(rho^2 - |T^-1 s|^2), found here on a fine grid."""
    units, radius, at = np.array([0.5, 2.0]), 0.6, np.array([0.8, -0.3])
    wavy = S.cosine_sum([1.0, 0.5], [[1.0, 0.5], [-0.5, 1.5]], [0.2, 0.9])
    contact = rb.contacts(wavy.stretched(units), [at / units], radius).feet[0, 0] * units
    axis = np.linspace(-1, 1, 801)
    phi = radius * np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    phi = phi[(phi**2).sum(axis=1) <= radius**2]
    heights = wavy.value(at + units * phi) + np.sqrt(radius**2 - (phi**2).sum(axis=1))
    best = at + units * phi[np.argmax(heights)]
    np.testing.assert_allclose(contact, best, atol=5e-3)
