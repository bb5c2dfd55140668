"""Formulas against numpy, hostile text, and surfaces from users' own Warp functions."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import warp as wp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rollingball as rb


def absolute(z):
    return np.where(np.real(z) < 0, -z, z)


NUMPY = {name: getattr(np, name) for name in ("sin", "cos", "tan", "exp", "log", "sqrt", "tanh")}
NUMPY |= {"atan": np.arctan, "abs": absolute}


def slope_of(f, x):
    return np.array([f(x + 1e-30j * unit).imag / 1e-30 for unit in np.eye(len(x))])


def bend_of(f, x, step=1e-3):
    """Fourth-order differences of the complex-step gradient."""
    units = np.eye(len(x)) * step
    near = [slope_of(f, x + unit) - slope_of(f, x - unit) for unit in units]
    far = [slope_of(f, x + 2 * unit) - slope_of(f, x - 2 * unit) for unit in units]
    return (8 * np.array(near) - np.array(far)) / (12 * step)


def close(found, expected, tolerance):
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * max(1, np.abs(expected).max()))


# text, variables, constants, the same in numpy, a point
TABLE = [
    ("sin(x) + cos(2*x) - tan(x/3)", "x", {}, lambda x: np.sin(x) + np.cos(2 * x) - np.tan(x / 3), [0.7]),
    ("exp(-x) * log(x + 2)", "x", {}, lambda x: np.exp(-x) * np.log(x + 2), [-0.4]),
    (
        "sqrt(1 + x**2) + tanh(x*y) - atan(y)",
        "x y",
        {},
        lambda x, y: np.sqrt(1 + x**2) + np.tanh(x * y) - np.arctan(y),
        [0.7, -1.2],
    ),
    ("abs(x) * y + abs(x - y)", "x, y", {}, lambda x, y: absolute(x) * y + absolute(x - y), [-0.7, 1.2]),
    ("abs(log(x)) + abs(sqrt(x) - 2)", "x", {}, lambda x: absolute(np.log(x)) + absolute(np.sqrt(x) - 2), [0.4]),
    ("abs(x**y)", "x y", {}, lambda x, y: x**y, [1.3, 0.8]),
    ("x**2 + x**3 - x**4 + x**7", "x", {}, lambda x: x**2 + x**3 - x**4 + x**7, [-1.3]),
    ("x**0.5 + x**1.5 + x**-0.5 + x**2.5", "x", {}, lambda x: x**0.5 + x**1.5 + x**-0.5 + x**2.5, [1.3]),
    ("x**-1 - x**-2 + 1/x**3", "x", {}, lambda x: 1 / x - x**-2.0 + x**-3.0, [-1.3]),
    ("x**y + 2**y + y**x**0.5", "x y", {}, lambda x, y: x**y + 2**y + y ** (x**0.5), [1.3, 0.6]),
    ("x**k + k**x", "x", {"k": 2.3}, lambda x: x**2.3 + 2.3**x, [1.1]),
    ("-x**2 + +x - -x*3", "x", {}, lambda x: -(x**2) + x + x * 3, [0.6]),
    ("x/y/2 - (x - (y - 1))", "x y", {}, lambda x, y: x / y / 2 - (x - (y - 1)), [0.6, -2.5]),
    (
        "S*x + R*e - double*x**2",
        "x",
        {"S": 1.5, "R": -2.0, "e": 3.0, "double": 0.25},
        lambda x: 1.5 * x - 6 - x**2 / 4,
        [0.9],
    ),
    (
        "lambda_*x + T*t0 + _q/q + wp*result",
        "t0 x",
        {"lambda_": 0.3, "T": 2.0, "_q": 3.0, "q": 7.0, "wp": 0.5, "result": 2.0},
        lambda t, x: 0.3 * x + 2 * t + 3 / 7 + 1,
        [0.9, -0.4],
    ),
    (
        "I*E + N*x0 + zoo*x1**2 + nan",
        "x1 x0",
        {"I": 2.0, "E": 3.0, "N": -1.5, "zoo": 0.7, "nan": 1.0},
        lambda x, y: 6 - 1.5 * y + 0.7 * x**2 + 1,
        [0.9, -0.4],
    ),
    (
        "int + class_*for_ + sin*sin(x)",
        "x",
        {"int": 1.0, "class_": 2.0, "for_": 3.0, "sin": 4.0},
        lambda x: 7 + 4 * np.sin(x),
        [0.2],
    ),
    ("θ*x**2 + été", "x", {"θ": 2.0, "été": 0.5}, lambda x: 2 * x**2 + 0.5, [0.2]),
    ("\N{MICRO SIGN}*x**2", "x", {"\N{MICRO SIGN}": 2.0}, lambda x: 2 * x**2, [0.2]),  # Python reads it as a Greek mu
    (
        "sin(cos(exp(sin(x*y) + tanh(x))))",
        "x y",
        {},
        lambda x, y: np.sin(np.cos(np.exp(np.sin(x * y) + np.tanh(x)))),
        [0.3, 0.9],
    ),
    ("sqrt(x**2) + sqrt(x*x + 1e-3)", "x", {}, lambda x: absolute(x) + np.sqrt(x * x + 1e-3), [-0.3]),
    ("pi*x + 2*pi - 1e-3*x + .5 + 3. + 1_000", "x", {}, lambda x: np.pi * x + 2 * np.pi - 1e-3 * x + 1003.5, [0.3]),
    ("sin(1) + sqrt(2)*x + 2**0.5 + 7/2 + 2**-2", "x", {}, lambda x: np.sin(1) + 2**0.5 * x + 2**0.5 + 3.75, [0.3]),
    (
        "a*x**2 + sin(3*y) + z*w*x",
        "x y z w",
        {"a": 0.3},
        lambda x, y, z, w: 0.3 * x**2 + np.sin(3 * y) + z * w * x,
        [0.3, 1, -1, 2],
    ),
    ("3.5", "x", {}, lambda x: 3.5 + 0 * x, [0.3]),
]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("text", "variables", "constants", "plain", "at"), TABLE, ids=[row[0] for row in TABLE])
def test_formulas_agree_with_numpy(text, variables, constants, plain, at, compiled):
    surface = rb.formula(text, variables, constants, compiled=compiled)
    x = np.array(at, dtype=float)
    assert surface.dim == len(x)
    close(surface.value(x), plain(*x), 1e-13)
    close(surface.gradient(x), slope_of(lambda z: plain(*z), x), 1e-12)
    close(surface.hessian(x), bend_of(lambda z: plain(*z), x), 1e-7)
    np.testing.assert_array_equal(surface.hessian(x), surface.hessian(x).T)


def test_variables_as_a_list():
    one, other = rb.formula("x - y", ["y", "x"]), rb.formula("x - y", "y,x")
    assert one.gradient([0.0, 0.0]).tolist() == other.gradient([0.0, 0.0]).tolist() == [-1.0, 1.0]


@pytest.mark.parametrize(
    "text", ["log(x)", "sqrt(x)", "x**0.5", "x**1.5", "x**-0.5", "x**k", "log(x)*0", "sqrt(x) - sqrt(x)"]
)
@pytest.mark.parametrize("compiled", [False, True])
def test_outside_its_domain_a_formula_is_nan(text, compiled):
    surface = rb.formula(text, "x", {"k": 0.3} if "k" in text else None, compiled=compiled)
    for derivative in (surface.value, surface.gradient, surface.hessian):
        assert np.isnan(derivative([-1.0])).all()
        assert np.isfinite(derivative([1.0])).all()


def test_constants_are_arguments():
    def compiled(text, constants, variables="x"):
        return rb.formula(text, variables, constants, compiled=True)

    one, two = compiled("a*x + b", {"a": 1.0, "b": 2.0}), compiled("a*x + b", {"a": 3.0, "b": 4.0})
    other = compiled("a*x*x + b", {"a": 3.0, "b": 4.0})
    assert one.builder is two.builder is not other.builder
    assert (one.value([1.0]), two.value([1.0])) == (3.0, 7.0)
    # names do not reach the compiler, so they do not matter to it either
    assert compiled("q*y+r", {"q": 5.0, "r": 6.0}, "y").builder is one.builder
    assert compiled("a*x + b", {"b": 2.0, "a": 1.0}).value([1.0]) == 3.0
    assert rb.formula("a*x + b", "x", {"b": 2.0, "a": 1.0}).value([1.0]) == 3.0


@dataclass(frozen=True)
class Tree:
    """A random expression: its text, and the same in numpy of (x, y, a, b)."""

    text: str
    plain: Callable[..., Any]

    def __repr__(self):
        return self.text


def number(value):
    return Tree(repr(value), lambda *_: value)


def call(name, inside):
    return Tree(f"{name}({inside.text})", lambda *v: NUMPY[name](inside.plain(*v)))


def power(inside, exponent):
    return Tree(f"({inside.text})**{exponent}", lambda *v: inside.plain(*v) ** float(exponent))


def join(operator, left, right):
    act = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}[operator]
    return Tree(f"({left.text}) {operator} ({right.text})", lambda *v: act(left.plain(*v), right.plain(*v)))


LEAVES = st.one_of(
    st.sampled_from([Tree(name, lambda *v, i=i: v[i]) for i, name in enumerate("xyab")]),
    st.floats(0.25, 4).map(lambda value: number(round(value, 2))),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(call, st.sampled_from(sorted(NUMPY)), inner),
        st.builds(power, inner, st.sampled_from([2, 3, -1, -2, 0.5, 1.5])),
        st.builds(join, st.sampled_from("+-*/"), inner, inner),
        inner.map(lambda tree: Tree(f"-({tree.text})", lambda *v: -tree.plain(*v))),
    ),
    max_leaves=8,
)


@settings(max_examples=10, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=TREES.filter(lambda tree: len(tree.text) > 20 and "x" in tree.text.replace("exp", "")), data=st.data())
def test_random_formulas_agree_with_numpy(tree, data):
    draw = st.floats(0.3, 1.5)
    for _ in range(5):
        a, b, x, y = (data.draw(draw) for _ in range(4))
        surface = rb.formula(tree.text, "x y", {"a": a, "b": b})
        with np.errstate(all="ignore"):
            value = tree.plain(x, y, a, b)
            if not abs(value) < 1e4:
                assert np.isfinite(surface.value([x, y])) == np.isfinite(value), tree
                continue
            close(surface.value([x, y]), value, 1e-11)
            slope = slope_of(lambda z: tree.plain(z[0], z[1], a, b) + 0j, np.array([x, y]))  # noqa: B023
        if np.abs(slope).max() < 1e4:
            close(surface.gradient([x, y]), slope, 1e-9)


SYNTAX = {
    "empty": "",
    "blank": "   \n ",
    "bytes": b"x",
    "none": None,
    "a number": 3,
    "a list": ["x"],
    "import": "__import__('os').system('touch CANARY')",
    "import of x": "__import__('os').system('touch CANARY') or x",
    "eval": "eval(\"open('CANARY', 'w')\") + x",
    "open": "open('CANARY', 'w')",
    "call of a call": "sin(x)(x)",
    "lambda called": "(lambda: open('CANARY', 'w'))()",
    "class walk": "().__class__.__bases__[0].__subclasses__()",
    "attribute": "x.real",
    "method": "x.__add__(x)",
    "module": "np.sin(x)",
    "module of math": "math.sin(x)",
    "dunder": "__builtins__",
    "dunder file": "__file__",
    "index": "x[0]",
    "slice": "x[:]",
    "lambda": "lambda x: x",
    "comprehension": "[x for x in (1, 2)]",
    "generator": "sum(x for _ in (1,))",
    "dict comprehension": "{x: x for x in (1,)}",
    "walrus": "(x := 3)",
    "walrus in a call": "sin(y := x)",
    "string": "'x'",
    "string times": "'x' * 10**9",
    "bytes inside": "b'x'",
    "f-string": "f'{x}'",
    "f-string call": "f'{open(\"CANARY\", \"w\")}'",
    "complex": "x + 1j",
    "true": "x + True",
    "none inside": "x + None",
    "ellipsis": "...",
    "tuple": "x, x",
    "list": "[x]",
    "dict": "{}",
    "set": "{x}",
    "conditional": "x if x > 0 else -x",
    "comparison": "x < 1",
    "and": "x and x",
    "not": "not x",
    "xor": "x ^ 2",
    "floor division": "x // 2",
    "modulo": "x % 2",
    "shift": "1 << 10000000000",
    "invert": "~x",
    "or": "x | 1",
    "matrix product": "x @ x",
    "await": "await x",
    "yield": "(yield x)",
    "statement": "x; x",
    "two lines": "x\nimport os",
    "assignment": "x = 3",
    "print": "print(x)",
    "comment only": "# x",
    "undefined": "x + z",
    "undefined E": "E*x",
    "undefined I": "I*x",
    "undefined inf": "inf*x",
    "undefined nan": "nan",
    "function without a call": "sin",
    "unknown function": "sinh(x)",
    "sympy name": "Symbol('x')",
    "sympy function": "gamma(x)",
    "no argument": "sin()",
    "two arguments": "atan(x, x)",
    "keyword": "sin(x=x)",
    "keyword beside": "sin(x, evaluate=1)",
    "starred": "sin(*x)",
    "double starred": "sin(**x)",
    "double division": "1/0",
    "log of zero": "log(0)",
    "log below zero": "x + log(-1)",
    "root of a negative": "(-1)**0.5*x",
    "overflow": "exp(1000)*x",
    "huge literal": "1e999*x",
    "many digits": "9" * 3000 + "*x",
    "tower": "9**9**9**9",
    "tower with x": "x + 9**9**9**9",
    "tower of floats": "9.**9.**9.**9.*x",
    "tower in a power": "x**9**9**9",
    "negative tower": "x**-9**9**9",
    "tower in a function": "sin(9**9**9**9)",
    "factors": "*".join(["9**99"] * 9) + "*x",
    "power too high": "x**65",
    "power too low": "x**(-1e300)",
    "unclosed": "(x",
    "parentheses": "(" * 5000,
    "parentheses closed": "(" * 1500 + "x" + ")" * 1500,
    "brackets": "[" * 2000 + "]" * 2000,
    "calls": "sin(" * 190 + "x" + ")" * 190,
    "unclosed calls": "sin(" * 900,
    "signs": "-" * 100000 + "x",
    "signs that fit": "-" * 3900 + "x",
    "signs that parse": "-" * 890 + "x",
    "powers": "**".join(["x"] * 440),
    "powers derived": "**".join(["x"] * 30),
    "long text": "x+" * 100000 + "x",
    "many terms": "+".join(["x"] * 1900),
    "spaces": "x" + " " * 10**6 + "+",
    "null": "x\0",
    "null inside": "x + \0 1",
    "newline": "x +\n x",
    "alike": "\N{CYRILLIC SMALL LETTER DZE}in(x)",
    "alike x": "\N{CYRILLIC SMALL LETTER HA} + 1",
    "alike minus": "x \N{MINUS SIGN} 1",
    "alike digit": "x + \N{CIRCLED DIGIT ONE}",
    "times": "2\N{MULTIPLICATION SIGN}x",
    "superscript": "x\N{SUPERSCRIPT TWO}",
    "right to left": "x \N{RIGHT-TO-LEFT OVERRIDE} + 1",
    "surrogate": "x + \ud800",
    "escape": "x\\\n+1",
    "C++": "x); system(\"touch CANARY\"",
    "C++ comment": "x /* */",
    "C++ cast": "double(x)",
    "Warp": "wp.sin(x)",
    "caret": "$x",
    "question": "x ? 1 : 2",
}  # fmt: skip
VALID_AFTER_ALL = {"newline", "escape", "powers derived"}  # refused or read, but at once


@pytest.mark.parametrize("text", SYNTAX.values(), ids=SYNTAX)
def test_hostile_text_is_refused_at_once_and_never_run(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rb.formula("x")  # imports sympy
    began = time.process_time()
    if text in [SYNTAX[name] for name in VALID_AFTER_ALL]:
        with contextlib.suppress(rb.InputError):
            assert rb.formula(text).dim == 1
    else:
        with pytest.raises(rb.InputError) as error:
            rb.formula(text)
        assert error.value.field.startswith("formula")
        assert len(str(error.value)) < 1000
    assert time.process_time() - began < 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["x*1e300*1e300", "(x*1e308)**64", "0**x", "(0*x)**x", "1/(x - x)", "log(x - x)"])
def test_numbers_that_only_sympy_finds_are_refused_or_not_finite(text):
    with contextlib.suppress(rb.InputError):
        assert isinstance(rb.formula(text).value([0.5]), float)


@pytest.mark.parametrize(
    ("variables", "constants", "field"),
    [
        ("", None, "variables"),
        ([], None, "variables"),
        ("x x", None, "variables"),
        ("x", {"x": 1.0}, "variables"),
        (["x", "1y"], None, "formula names"),
        (["x", "y; system()"], None, "formula names"),
        (["x", "y[0]"], None, "formula names"),
        (["x", ""], None, "formula names"),
        (["x", 3], None, "formula names"),
        ("x", {"a b": 1.0}, "formula names"),
        ("x", {3: 1.0}, "formula names"),
        ("x", {"a": np.nan}, "constants.a"),
        ("x", {"a": [1.0, 2.0]}, "constants.a"),
        ("x", {"a": "exit()"}, "constants.a"),
        ("x", {"a": None}, "constants.a"),
    ],
)
def test_names_and_constants_are_checked(variables, constants, field):
    with pytest.raises(rb.InputError) as error:
        rb.formula("x", variables, constants)
    assert error.value.field == field


# Users' own Warp functions: f(x, y) = sin(x) y^2 + a x (a from params, else 1/2).


@wp.func
def swell(x: Any):
    return wp.sin(x[0]) * x[1] * x[1] + x.dtype(0.5) * x[0]


@wp.func
def swell_typed(x: wp.vec2d):
    return wp.sin(x[0]) * x[1] * x[1] + wp.float64(0.5) * x[0]


def swell_plain(x: Any):
    return wp.sin(x[0]) * x[1] * x[1] + x.dtype(0.5) * x[0]


@wp.func
def swell_slope(x: Any):
    slope = x
    slope[0] = wp.cos(x[0]) * x[1] * x[1] + x.dtype(0.5)
    slope[1] = x.dtype(2.0) * wp.sin(x[0]) * x[1]
    return slope


@wp.func
def swell_slope_typed(x: wp.vec2d):
    return wp.vec2d(wp.cos(x[0]) * x[1] * x[1] + wp.float64(0.5), wp.float64(2.0) * wp.sin(x[0]) * x[1])


@wp.func
def swell_bend(x: Any):
    bend = wp.outer(x, x)
    bend[0, 0] = -wp.sin(x[0]) * x[1] * x[1]
    bend[0, 1] = x.dtype(2.0) * wp.cos(x[0]) * x[1]
    bend[1, 0] = bend[0, 1]
    bend[1, 1] = x.dtype(2.0) * wp.sin(x[0])
    return bend


@wp.func
def swell_with(x: Any, p: Any):
    return wp.sin(x[0]) * x[1] * x[1] * p.powers[0] + p.a * x[0]


@wp.func
def swell_slope_with(x: Any, p: Any):
    slope = x
    slope[0] = wp.cos(x[0]) * x[1] * x[1] * p.powers[0] + p.a
    slope[1] = x.dtype(2.0) * wp.sin(x[0]) * x[1] * p.powers[0]
    return slope


@wp.func
def slope_wrong_second(x: Any):
    slope = swell_slope(x)
    slope[1] = -slope[1]
    return slope


@wp.func
def slope_wrong_first(x: Any):
    slope = swell_slope(x)
    slope[0] = x.dtype(1.01) * slope[0]
    return slope


@wp.func
def slope_nan(x: Any):
    slope = swell_slope(x)
    slope[0] = wp.sqrt(-x[0] * x[0] - x.dtype(1.0))
    return slope


@wp.func
def bend_wrong_corner(x: Any):
    bend = swell_bend(x)
    bend[1, 1] = x.dtype(1.01) * bend[1, 1]
    return bend


@wp.func
def bend_wrong_side(x: Any):
    bend = swell_bend(x)
    bend[0, 1] = bend[0, 1] + x.dtype(0.01)
    return bend


def define_swell(x, a=0.5, power=1.0):
    return np.sin(x[0]) * x[1] ** 2 * power + a * x[0]


PARAMS = {"a": 0.25, "powers": np.array([2.0, 9.0])}
USERS = {
    "value": (swell, {}, {}, (1e-10, 1e-8)),
    "plain function": (swell_plain, {}, {}, (1e-10, 1e-8)),
    "typed": (swell_typed, {}, {}, (1e-10, 1e-8)),
    "typed slope": (swell_typed, {"gradient": swell_slope_typed}, {}, (1e-14, 1e-10)),
    "slope": (swell, {"gradient": swell_slope}, {}, (1e-14, 1e-10)),
    "slope and bend": (swell, {"gradient": swell_slope, "hessian": swell_bend}, {}, (1e-14, 1e-14)),
    "bend": (swell, {"hessian": swell_bend}, {}, (1e-10, 1e-14)),
    "params": (swell_with, {"params": PARAMS}, {"a": 0.25, "power": 2.0}, (1e-10, 1e-8)),
    "params and slope": (
        swell_with,
        {"params": PARAMS, "gradient": swell_slope_with},
        {"a": 0.25, "power": 2.0},
        (1e-14, 1e-10),
    ),
}


@pytest.mark.parametrize(("function", "given_", "plain", "tolerances"), USERS.values(), ids=USERS)
def test_users_own_functions(function, given_, plain, tolerances):
    surface = rb.surface(dim=2, loss_scale=3.0, **given_)(function)
    assert (surface.dim, surface.loss_scale, surface.recipe) == (2, 3.0, None)
    x = np.array([0.7, -1.3])
    close(surface.value(x), define_swell(x, **plain), 1e-14)
    close(surface.gradient(x), slope_of(lambda z: define_swell(z, **plain), x), tolerances[0])
    bend = np.array([[-np.sin(0.7) * 1.69, -2.6 * np.cos(0.7)], [-2.6 * np.cos(0.7), 2 * np.sin(0.7)]])
    close(surface.hessian(x), bend * plain.get("power", 1.0), tolerances[1])


def test_params_of_users_are_arguments():
    one = rb.surface(dim=2, params=PARAMS)(swell_with)
    two = rb.surface(dim=2, params={**PARAMS, "a": 7.0})(swell_with)
    assert one.builder is two.builder
    assert two.value([1.0, 0.0]) == 7.0
    assert one.value([1.0, 0.0]) == 0.25


def test_users_functions_roll_in_either_precision():
    surface = rb.surface(dim=2)(swell_typed)
    for dtype, tolerance in (("float64", 1e-10), ("float32", 1e-6)):
        run = rb.simulate(surface, None, rb.GradientDescent(lr=0.1), start=[1.0, 0.5], steps=1, dtype=dtype, gap=None)
        x = np.array([1.0, 0.5])
        np.testing.assert_allclose(run.foot[1, 0], x - 0.1 * slope_of(define_swell, x), rtol=tolerance)


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"gradient": slope_wrong_first}, "gradient[0]"),
        ({"gradient": slope_wrong_second}, "gradient[1]"),
        ({"gradient": slope_nan}, "gradient[0]"),
        ({"gradient": swell_slope, "hessian": bend_wrong_corner}, "hessian[1, 1]"),
        ({"gradient": swell_slope, "hessian": bend_wrong_side}, "hessian[0, 1]"),
        ({"hessian": bend_wrong_corner}, "hessian[1, 1]"),
    ],
)
def test_wrong_derivatives_are_named(parts, field):
    with pytest.raises(rb.InputError, match="finite difference at x = ") as error:
        rb.surface(dim=2, **parts)(swell)
    assert error.value.field == field


def test_derivatives_are_checked_where_asked():
    # at y = 0 the wrong entry is 0, as it should be
    make = rb.surface(dim=2, gradient=slope_wrong_second, check_at=[[0.3, 0.0]])
    assert make(swell).dim == 2
    with pytest.raises(rb.InputError, match=r"x = \[0.3, 0.5\]"):
        rb.surface(dim=2, gradient=slope_wrong_second, check_at=[[0.3, 0.0], [0.3, 0.5]])(swell)


@pytest.mark.parametrize(
    ("function", "given_", "field"),
    [
        (swell_with, {}, "value"),
        (swell, {"params": {"a": 1.0}}, "value"),
        (swell, {"gradient": swell_slope_with}, "gradient"),
        (swell_with, {"params": PARAMS, "gradient": swell_slope}, "gradient"),
        (swell_with, {"params": PARAMS, "hessian": swell_bend}, "hessian"),
    ],
)
def test_wrong_number_of_arguments(function, given_, field):
    with pytest.raises(rb.InputError, match="a function of ") as error:
        rb.surface(dim=2, **given_)(function)
    assert error.value.field == field


@pytest.mark.parametrize(
    ("given_", "field"),
    [
        ({"dim": 0}, "dim"),
        ({"dim": 2.5}, "dim"),
        ({"dim": 2, "check_at": [[1.0]]}, "check_at"),
        ({"dim": 2, "check_at": [[np.nan, 1.0]]}, "check_at"),
        ({"dim": 2, "loss_scale": 0.0}, "loss_scale"),
        ({"dim": 2, "params": {"a": np.nan, "powers": np.ones(2)}}, "params.a"),
        ({"dim": 2, "params": {"a": 1.0, "powers": np.array([np.inf, 1.0])}}, "params.powers"),
        ({"dim": 2, "params": {"a": "text", "powers": np.ones(2)}}, "params.a"),
    ],
)
def test_arguments_of_surface_are_checked(given_, field):
    with pytest.raises(rb.InputError) as error:
        rb.surface(**given_)(swell_with if "params" in given_ else swell)
    assert error.value.field == field


@pytest.mark.parametrize("compiled", [False, True])
def test_the_slope_of_tanh_is_right_where_it_is_small(compiled):
    """It is 1 / cosh^2, and 1 - tanh^2 has no digit left from 19 on; beyond 710 cosh is infinite, the slope 0."""
    surface, x = rb.formula("tanh(x)", "x", compiled=compiled), np.array([[0.5], [5.0], [20.0], [300.0], [800.0]])
    with np.errstate(over="ignore"):
        slope = 1 / np.cosh(x) / np.cosh(x)
    np.testing.assert_allclose(surface.gradient(x), slope, rtol=1e-14)
    np.testing.assert_allclose(surface.hessian(x)[..., 0], -2 * np.tanh(x) * slope, rtol=1e-14)
