"""How a loss depends on its parameters: every surface of the catalogue and users' own, against central differences."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import warp as wp

import rollingball as rb
from rollingball.surfaces.catalogue import CATALOGUE, PARAMETER_COTANGENTS, from_recipe
from rollingball.surfaces.parameters import parameter_cotangents

RNG = np.random.default_rng(6)
TEXT = (
    "a*sin(b*x)*exp(-x**2) + c*y**3 - a/(c + y**2) + sqrt(b + x*x) + log(c)*tanh(x) + atan(a*y) - tan(b*y/9) + abs(x*a)"
)
RECIPES = [
    {"type": "plane", "slope": [1.0, -0.5], "offset": 0.3},
    {"type": "quadratic", "matrix": [[2.0, 0.3, 0.1], [0.3, 1.0, 0.0], [0.1, 0.0, 0.5]], "linear": [1.0, 0.0, -1.0]},
    {"type": "sine", "dim": 2, "amplitude": 0.7, "frequency": 1.9},
    {"type": "cubic", "dim": 2, "coefficient": 0.4},
    {"type": "double-well", "dim": 2, "depth": 0.8, "tilt": 0.1},
    {"type": "bowl", "dim": 2, "radius": 3.0},
    {"type": "dome", "dim": 2, "radius": 3.0},
    {"type": "rosenbrock", "dim": 3, "a": 0.9, "b": 7.0},
    {"type": "rastrigin", "dim": 2, "amplitude": 3.0},
    {"type": "max-of-planes", "slopes": [[1.0, 0.5], [-1.0, 0.5], [0.2, -2.0]], "offsets": [0.1, 0.0, -0.2]},
    {"type": "cosine-sum", "amplitudes": [1.0, 0.4], "frequencies": [[1.0, 2.0], [3.0, -1.0]], "phases": [0.3, 0.0]},
    {"type": "weierstrass", "a": 0.5, "b": 3.0, "terms": 4},
    {"type": "sine-mse", "x": [0.4, 1.1, 2.0], "y": [0.1, 0.9, -0.3]},
    {"type": "gaussian-wells", "centers": RNG.uniform(-1, 1, (40, 2)).tolist(), "width": 0.4},
    {"type": "formula", "text": TEXT, "variables": "x y", "constants": {"a": 0.7, "b": 1.3, "c": 1.9}},
    {"type": "formula", "text": "x**a + (x*y)**3 + b**2/x**2 - 2**(b*y) + x**(a*y)", "variables": ["x", "y"],
     "constants": {"a": 1.7, "b": 0.6}},
    {"type": "formula", "text": "(x - a)**2 * (x + 4*y)**-3 - a", "variables": "x, y", "constants": {"a": 0.5}},
    {"type": "stretched", "units": [0.7, 1.3], "surface": {"type": "rosenbrock", "dim": 2, "a": 0.9, "b": 7.0}},
    {"type": "sampled", "heights": RNG.normal(size=7).tolist(), "box": [[-1.5, 1.5]]},
    {"type": "sampled", "heights": RNG.normal(size=(5, 6)).tolist(), "box": [[-1.5, 1.5], [-2.0, 2.0]]},
    {"type": "sampled", "heights": RNG.normal(size=(5, 4)).tolist(), "box": [[0.0, 1.5], [-1.0, 0.5]],
     "border": "periodic"},
]  # fmt: skip


def test_every_surface_of_the_catalogue_tells_how_it_depends_on_its_parameters():
    assert set(PARAMETER_COTANGENTS) == set(CATALOGUE)
    numbers = {recipe["type"] for recipe in RECIPES}
    assert set(CATALOGUE) - numbers == {"ackley", "himmelblau", "riemann", "whitley"}  # they have none


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe["type"])
def test_the_cotangents_are_those_of_differences(recipe):
    surface = from_recipe(recipe)
    rng = np.random.default_rng(1)
    x = rng.uniform(0.2, 1.2, (11, surface.dim))
    height, slope = rng.normal(size=11), rng.normal(size=(11, surface.dim))
    found = parameter_cotangents(surface, x, height, slope)

    def total(**arguments):
        other = from_recipe({**recipe, **arguments})
        return height @ other.value(x) + (slope * other.gradient(x)).sum()

    given = recipe.get("constants") or {name: value for name, value in recipe.items() if name in found}
    for name, value in given.items():
        start = np.array(value, dtype=float)
        expected = np.zeros_like(start)
        for entry in np.ndindex(start.shape):
            ends = []
            for k in (-2, -1, 1, 2):
                moved = start.copy()
                moved[entry] += k * 1e-4
                argument = moved.tolist()
                ends.append(total(constants={**given, name: argument}) if "constants" in recipe
                            else total(**{name: argument}))  # fmt: skip
            expected[entry] = (ends[0] - 8 * ends[1] + 8 * ends[2] - ends[3]) / 12e-4
        if name == "matrix":
            expected = (expected + expected.T) / 2
        np.testing.assert_allclose(found[name], expected, rtol=1e-8, atol=1e-9 * (1 + np.abs(expected).max()))
    of_nothing = parameter_cotangents(surface, x, 0 * height, 0 * slope)
    assert {name: np.shape(value) for name, value in of_nothing.items()} == {n: np.shape(v) for n, v in found.items()}
    assert not any(np.any(value) for value in of_nothing.values())


def test_points_in_many_parts_give_the_same_sum(monkeypatch):
    surface = from_recipe(RECIPES[10])
    rng = np.random.default_rng(2)
    x, height, slope = rng.uniform(-1, 1, (50, 2)), rng.normal(size=50), rng.normal(size=(50, 2))
    whole = parameter_cotangents(surface, x, height, slope, threads=1)
    monkeypatch.setattr("rollingball.surfaces.parameters.CHUNK", 70)
    for threads in (1, 3):
        for name, value in parameter_cotangents(surface, x, height, slope, threads).items():
            np.testing.assert_allclose(value, whole[name], rtol=1e-12)


@pytest.mark.parametrize("count", [1, 40])
def test_the_kernel_of_the_wells_is_their_complex_step(count):
    centers, width = RNG.uniform(-1, 1, (count, 2)), 0.3
    surface = rb.surfaces.gaussian_wells(centers, width=width)
    x, height, slope = RNG.uniform(-1.2, 1.2, (57, 2)), RNG.normal(size=57), RNG.normal(size=(57, 2))
    z, weight = x + 1e-100j * slope, height - 1e100j
    away = z[:, None] - centers
    square = (away * away).sum(axis=2) / width**2
    depth = weight[:, None] * np.exp(-square)
    expected = {
        "centers": np.einsum("nk,nki->ki", depth, away).real * (-2 / width**2),
        "width": (depth * square).sum().real * (-2 / width),
    }
    for threads in (1, 2):
        found = parameter_cotangents(surface, x, height, slope, threads)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=0, atol=1e-12 * np.abs(value).max())


@wp.func
def ripple(x: Any, p: Any):
    return p.size * wp.sin(p.waves[0] * x[0]) * wp.cos(p.waves[1] * x[1])


def slopes_of_ripple(x, params):
    size, (a, b) = params["size"], params["waves"]
    s, c = np.sin(a * x[:, 0]), np.cos(b * x[:, 1])
    by_a = size * x[:, 0] * np.cos(a * x[:, 0]) * c
    by_b = -size * s * x[:, 1] * np.sin(b * x[:, 1])
    return {"size": s * c, "waves": np.stack([by_a, by_b], axis=1)}


PARAMS = {"size": 0.8, "waves": np.array([1.5, 2.0])}


def test_a_users_surface_gives_its_own():
    surface = rb.surface(dim=2, params=PARAMS, parameter_gradient=slopes_of_ripple)(ripple)
    x = np.random.default_rng(3).uniform(-1, 1, (9, 2))
    height, slope = np.cos(np.arange(9.0)), np.sin(np.arange(18.0)).reshape(9, 2)
    found = parameter_cotangents(surface, x, height, slope)

    def total(waves):
        other = replace(surface, params={**PARAMS, "waves": np.array(waves)})
        return height @ other.value(x) + (slope * other.gradient(x)).sum()

    expected = [(total([1.5 + h, 2.0]) - total([1.5 - h, 2.0])) / (2 * h) for h in [1e-5]]
    np.testing.assert_allclose(found["waves"][0], expected[0], rtol=1e-7)
    assert found["size"] == pytest.approx((height @ surface.value(x) + (slope * surface.gradient(x)).sum()) / 0.8)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda x, params: {"size": slopes_of_ripple(x, params)["size"]}, "size, waves"),
        (lambda x, params: {**slopes_of_ripple(x, params), "size": np.zeros(3)}, "shape"),
        (lambda x, params: {**slopes_of_ripple(x, params), "size": np.cos(x[:, 0])}, "finite difference"),
        (lambda x, params: {k: v.real for k, v in slopes_of_ripple(x, params).items()}, "finite difference"),
    ],
)
def test_a_wrong_parameter_gradient_is_refused(wrong, said):
    with pytest.raises(rb.InputError, match=f"parameter_gradient.*{said}"):
        rb.surface(dim=2, params=PARAMS, parameter_gradient=wrong)(ripple)


def test_a_surface_that_does_not_tell_is_refused():
    surface = rb.surface(dim=2, params=PARAMS)(ripple)
    with pytest.raises(rb.InputError, match="parameter_gradient="):
        parameter_cotangents(surface, np.zeros((1, 2)), np.ones(1), np.ones((1, 2)))


def test_the_parameters_of_a_stretched_surface_are_named_after_it():
    inner = {"type": "rosenbrock", "dim": 2, "a": 0.9, "b": 7.0}
    recipe = {"type": "stretched", "units": [0.7, 1.3], "surface": inner}
    rng = np.random.default_rng(3)
    x, height, slope = rng.normal(size=(9, 2)), rng.normal(size=9), rng.normal(size=(9, 2))
    found = parameter_cotangents(from_recipe(recipe), x, height, slope)
    assert set(found) == {"units", "surface.a", "surface.b"}

    def total(b):
        other = from_recipe({**recipe, "surface": {**inner, "b": b}})
        return height @ other.value(x) + (slope * other.gradient(x)).sum()

    assert found["surface.b"] == pytest.approx((total(7.5) - total(6.5)), rel=1e-9)  # b enters linearly
