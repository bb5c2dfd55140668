"""Formulas as tapes: against an independent second-order differentiation in 80-bit numbers, and their bounds."""

import itertools

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

import rollingball as rb
from rollingball.core.numeric import Numeric
from rollingball.runs import launches
from rollingball.surfaces import tape as tape_module
from rollingball.surfaces.base import evaluation
from rollingball.surfaces.catalogue import from_recipe
from tests.surfaces.jets import trees
from tests.surfaces.test_bounds import bounds, in_balls

CONSTANTS = {"a": 0.7, "b": 1.3}
AT = np.random.default_rng(0).uniform(0.3, 1.5, (6, 2))
# the errors of a few functions of the C library, as a share of the mass of tests/surfaces/jets.py
ERROR = 2e-15


def surface_of(tree, **options):
    """The surface of a drawn formula; one with a number in it that is not finite or a power too high is not drawn."""
    try:
        return rb.formula(tree.text, "x y", CONSTANTS, **options)
    except rb.InputError:
        reject()


def reference(tree, points):
    """Value, gradient and Hessian at points, and their masses: arrays (N, 7)."""
    with np.errstate(all="ignore"):
        jet = tree.jet(points, CONSTANTS)
    parts = [jet.value, *jet.first, *(part for row in jet.second for part in row)]
    shape = len(points)
    return tuple(
        np.stack([np.broadcast_to(getattr(part, name), shape) for part in parts], 1) for name in ("value", "mass")
    )


def found(surface, points):
    value, gradient, hessian = surface._evaluate(points)
    return np.concatenate([value[:, None], gradient, hessian.reshape(-1, 4)], axis=1)


@settings(max_examples=1000)
@given(tree=trees())
def test_a_thousand_formulas_have_their_values_gradients_and_hessians(tree):
    expected, mass = reference(tree, AT)
    close = found(surface_of(tree), AT)
    # a large mass means a point near a kink or a pole, where rounding may take it for another one
    there = np.isfinite(expected).all(axis=1) & (mass < 1e12).all(axis=1)
    assert (np.abs(close[there] - expected[there]) <= ERROR * mass[there]).all()


@settings(max_examples=150)
@given(tree=trees(), reach=st.sampled_from([0.0, 1e-9, 1e-3, 0.05, 0.3, 2.0]))
def test_nothing_in_the_ball_exceeds_the_bounds_of_a_formula(tree, reach):
    surface, x = surface_of(tree), AT - 0.4  # some coordinates are below zero
    slope, bend = bounds(surface, x, reach)
    assert not np.isnan([slope, bend]).any()
    assert ((slope < 0) == (bend < 0)).all()
    y = in_balls(x, np.full(len(x), reach), np.random.default_rng(0), count=10).reshape(-1, 2)
    expected, mass = reference(tree, y)
    over = np.tile(slope < 0, len(y) // len(x))
    assert not np.isfinite(expected[over, 0]).any(), "no surface there"
    there = np.isfinite(expected).all(axis=1) & ~over
    for part, bound in ((slice(1, 3), slope), (slice(3, 7), bend)):
        inside = expected[there, part].astype(float).reshape(-1, (part.stop - part.start) // 2, 2)
        allowed = np.tile(bound, len(y) // len(x))[there] + 1e-17 * mass[there, part].sum(axis=1)
        assert (np.linalg.norm(inside, 2, axis=(1, 2)) <= allowed).all()


def test_a_formula_that_needs_many_registers_computes_again_what_it_would_keep():
    shared = [f"sin(x + {k}*y)" for k in range(30)]
    text = " + ".join(shared) + " - (" + "*".join(shared) + ")"
    surface = rb.formula(text, "x y")
    rows = surface.params["tape"].rows
    assert max(row[3] for row in rows) < 2 + tape_module.REGISTERS
    assert sum(row[0] == tape_module.CODES["sin"] for row in rows) == 60
    waves = np.sin(AT[:, :1] + np.arange(30) * AT[:, 1:])
    np.testing.assert_allclose(surface.value(AT), waves.sum(axis=1) - waves.prod(axis=1), rtol=1e-13)


def test_a_common_subexpression_is_computed_once_and_constants_on_the_host():
    surface = rb.formula("sin(x*y)*cos(y*x) + (a + 2)*a*exp(sin(x*y))", "x y", {"a": 3.0})
    tape = surface.params["tape"]
    assert sum(row[0] == tape_module.CODES["sin"] for row in tape.rows) == 1
    assert sum(row[0] == tape_module.CODES["multiply"] for row in tape.rows) == 2
    assert tape.numbers == (15.0,)


@settings(max_examples=100)
@given(tree=trees(max_leaves=40), axes=st.sampled_from([(0, 1), (1, 3), (0, 6), (5, 2)]))
def test_long_formulas_among_many_variables(tree, axes):
    """In seven variables, of which a tape is run for four at a time, and in four, of which two do not matter."""
    dim = 4 if max(axes) < 4 else 7
    names = [f"z{k}" for k in range(dim)]
    names[axes[0]], names[axes[1]] = "x", "y"
    try:
        surface = rb.formula(tree.text, names, CONSTANTS)
    except rb.InputError:
        reject()
    expected, mass = reference(tree, AT)
    points = np.full((len(AT), dim), 0.5)
    points[:, axes] = AT
    value, gradient, hessian = surface._evaluate(points)
    inner = hessian[:, axes][:, :, axes]
    close = np.concatenate([value[:, None], gradient[:, axes], inner.reshape(-1, 4)], axis=1)
    there = np.isfinite(expected).all(axis=1) & (mass < 1e12).all(axis=1)
    assert (np.abs(close[there] - expected[there]) <= ERROR * mass[there]).all()
    assert np.count_nonzero(gradient[there]) <= np.count_nonzero(gradient[there][:, axes])
    assert np.count_nonzero(hessian[there]) <= np.count_nonzero(inner[there])


@pytest.mark.parametrize("dim", [3, 5, 12])
def test_gradients_and_hessians_in_more_variables(dim):
    """f = exp(c . x) + sum of x_i x_(i+1): each pair of variables meets."""
    names = [f"u{k}" for k in range(dim)]
    inner = " + ".join(f"{0.1 * (k + 1):.1f}*{name}" for k, name in enumerate(names))
    text = f"exp({inner}) + " + " + ".join(f"{a}*{b}" for a, b in itertools.pairwise(names))
    surface = rb.formula(text, names)
    x = np.random.default_rng(1).uniform(-0.5, 0.5, (5, dim))
    slope = 0.1 * np.arange(1, dim + 1)
    wave = np.exp(x @ slope)
    beside = np.eye(dim, k=1) + np.eye(dim, k=-1)
    np.testing.assert_allclose(surface.value(x), wave + np.einsum("ni,ij,nj->n", x, beside, x) / 2, rtol=1e-13)
    np.testing.assert_allclose(surface.gradient(x), wave[:, None] * slope + x @ beside, rtol=1e-12)
    exact = wave[:, None, None] * np.outer(slope, slope) + beside
    np.testing.assert_allclose(surface.hessian(x), exact, rtol=1e-12)
    slopes, bends = bounds(surface, x, 0.0)
    norm = np.linalg.norm(exact, 2, axis=(1, 2))
    assert (slopes >= np.linalg.norm(surface.gradient(x), axis=1) * (1 - 1e-14)).all()
    np.testing.assert_allclose(slopes, np.linalg.norm(surface.gradient(x), axis=1), rtol=1e-12)
    assert (bends >= norm * (1 - 1e-14)).all()
    assert (bends <= np.linalg.norm(exact, axis=(1, 2)) * (1 + 1e-12)).all()


def test_in_single_precision_heights_are_those_of_double():
    surface = rb.formula("1e6 + sin(a*x)*exp(y) + x**4", "x y", {"a": 0.1})
    single = rb.simulate(surface, None, rb.GradientDescent(0.1), start=AT, steps=1, dtype="float32", gap=None)
    at = AT.astype(np.float32).astype(float)
    np.testing.assert_allclose(single.loss[0], surface.value(at), rtol=1e-15)
    step = single.foot[1].astype(float) - at
    np.testing.assert_allclose(step, -0.1 * surface.gradient(at), rtol=1e-4, atol=1e-7)


TEXTS = ["a*x**2 + sin(3*x)*cos(2*y) - b/y", "x**y + abs(x - 2*y)*tanh(x)/(1 + y**4)", "sqrt(x)*log(y) - a**x + x**b"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_compiled_and_interpreted_steps_agree(text, dtype):
    runs = [
        rb.simulate(
            rb.formula(text, "x y", CONSTANTS, compiled=compiled), rb.Ball(0.05), rb.FootpointRBO(0.01), start=AT + 0.3,
            steps=5, dtype=dtype, gap=None,
        )
        for compiled in (False, True)
    ]  # fmt: skip
    tolerance = 1e-11 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(runs[0].foot, runs[1].foot, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(runs[0].loss, runs[1].loss, rtol=tolerance, atol=tolerance)


def test_all_formulas_in_as_many_variables_share_their_kernels():
    one, other = rb.formula("a*x**2 + y", "x y", {"a": 2.0}), rb.formula("sin(u)/w", ["u", "w"])
    numeric = Numeric(2)
    assert one.builder is other.builder
    assert one.functions(numeric) is other.functions(numeric)
    assert evaluation(one.functions(numeric), numeric) is evaluation(other.functions(numeric), numeric)
    assert one.params["tape"] != other.params["tape"]
    assert rb.formula("a*q**2 + r", "q r", {"a": 2.0}).params["tape"] == one.params["tape"]


@pytest.mark.parametrize("method", [rb.GradientDescent(0.1), rb.FootpointFlow(rb.RK4(0.01))], ids=["steps", "flow"])
def test_a_long_run_says_once_that_compiled_steps_are_faster(method, monkeypatch, capsys):
    monkeypatch.setattr(launches, "ADVICE_SECONDS", 0.0)
    long = {"duration": 0.1} if isinstance(method, rb.FootpointFlow) else {"steps": 40, "chunk": 10}
    ball = rb.Ball(0.1) if isinstance(method, rb.FootpointFlow) else None
    for progress in (True, False):
        rb.simulate(rb.formula("x**2"), ball, method, start=[1.0], progress=progress, gap=None, **long)
        assert capsys.readouterr().err.count("compiled=True") == progress
    rb.simulate(rb.surfaces.sine(), ball, method, start=[1.0], progress=True, gap=None, **long)
    assert "compiled=True" not in capsys.readouterr().err


def test_a_recipe_says_whether_a_formula_is_compiled_and_old_ones_are_interpreted():
    assert rb.formula("x").recipe["compiled"] is False
    old = {"type": "formula", "text": "x**2", "variables": "x", "constants": None, "loss_scale": 1.0}
    assert from_recipe(old).builder is rb.formula("x").builder
    compiled = from_recipe({**old, "compiled": True})
    assert compiled.builder is not from_recipe(old).builder
    assert compiled.recipe["compiled"] is True
    with pytest.raises(rb.InputError, match="compiled: got 'no'"):
        rb.formula("x", compiled="no")


def test_beside_its_domain_a_formula_has_no_surface_and_at_a_rim_no_bounds():
    surface = rb.formula("sqrt(x) + log(3 - x)")
    slope, _bend = bounds(surface, [[-1.0], [-1.0], [1.0], [1.0], [4.0]], [0.9, 1.1, 0.9, 1.1, 0.9])
    assert (slope < 0).tolist() == [True, False, False, False, True]
    assert np.isinf(slope).tolist() == [False, True, False, True, False]
    pole = rb.formula("1/x + x**-2 + tan(x)")
    assert np.isinf(bounds(pole, [[0.5], [0.5], [1.5]], [0.4, 0.6, 0.2])[0]).tolist() == [False, True, True]


@pytest.mark.parametrize("compiled", [False, True])
def test_a_kink_has_a_slope_but_no_curvature(compiled):
    ridge = rb.formula("-S*abs(x)", constants={"S": 0.5}, compiled=compiled)
    slope, bend = bounds(ridge, [[1.0], [1.0], [-2.0]], [0.9, 1.1, 1.0])
    np.testing.assert_allclose(slope, 0.5, rtol=1e-14)
    np.testing.assert_allclose(bend, [0.0, np.inf, 0.0], atol=1e-290)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_derivative_is_zero_by_a_variable_that_does_not_enter_and_nan_where_an_infinite_one_meets_a_kink(compiled):
    surface = rb.formula("sqrt(x) + y*y", "x y", compiled=compiled)
    assert surface.gradient([0.0, 3.0]).tolist() == [np.inf, 6.0]
    assert surface.hessian([0.0, 3.0])[0, 1] == 0.0
    assert surface.hessian([0.0, 3.0])[1, 1] == 2.0
    kink = rb.formula("abs(x)**1.5 + y", "x y", compiled=compiled)
    assert kink.gradient([0.0, 3.0]).tolist() == [0.0, 1.0]
    assert np.isnan(kink.hessian([0.0, 3.0])[0, 0])
