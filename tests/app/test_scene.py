"""Scene files: untrusted text in, a checked scene or one clear error out, and nothing compiled on the way."""

import copy
import json
import math
import re
import tomllib

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rollingball as rb
from rollingball.app.scene import load_scene, schema, shipped, to_scene
from rollingball.app.scene_tables import Cloud
from rollingball.methods import BODIES, FLOWS, METHOD_CLASSES, METHODS

GOOD = """
title = "a test"
[surface]
type = "sine"
[ball]
radius = 0.5
start = [[0.9]]
[[run]]
method = "footpoint-rbo"
lr = 0.02
steps = 5
"""
NOT_GIVEN = object()


@pytest.fixture(scope="module")
def validator():
    """What the schema allows; that it is a schema is a test of its own."""
    return jsonschema.Draft202012Validator(schema())


def table(changes=()):
    """GOOD as plain data, with values put at paths such as ("run", 0, "lr")."""
    made = tomllib.loads(GOOD)
    for path, value in dict(changes).items():
        *parents, last = path
        place = made
        for part in parents:
            place = place[part]
        if value is NOT_GIVEN:
            del place[last]
        else:
            place[last] = copy.deepcopy(value)
    return made


def loaded(folder, content, overrides=None):
    path = folder / "scene.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    scene = load_scene(path, overrides)
    scene.check()
    return scene


# The shipped scenes


def test_there_are_shipped_scenes():
    assert {"demo", "fig3-ironing", "fig4-exploration"} <= set(shipped())


@pytest.mark.parametrize("name", shipped())
def test_shipped_scenes_pass_their_check_and_have_a_title(name, no_compiling):
    scene = load_scene(name)
    scene.check()
    assert scene.title
    assert load_scene(f"scenes/{name}.toml") == scene == load_scene(shipped()[name])


def test_the_guard_of_these_tests_would_notice_compiling(no_compiling):
    with pytest.raises(AssertionError, match="compiled or launched"):
        to_scene(table()).roll(0)


def test_a_file_nearby_comes_before_a_shipped_scene(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo.toml").write_text(GOOD)
    assert load_scene("demo.toml").title == "a test"
    assert load_scene("demo").title != "a test"


@pytest.mark.parametrize("source", ["nope", "nope.toml", "elsewhere/demo.toml", "demo.json", "a\0b", ".."])
def test_no_such_scene_names_what_was_asked_for(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(rb.FileError) as caught:
        load_scene(source)
    assert str(caught.value).startswith(f"{source}: ")


# Values of the wrong kind are refused when a scene is read, by the path of their key

UNREADABLE = [
    ({("ball", "raduis"): 1}, "$.ball.raduis"),
    ({("titel",): "x"}, "$.titel"),
    ({("surface", "widht"): 1}, "$.surface.widht"),
    ({("run", 0, "rl"): 1}, "$.run[0].rl"),
    ({("run", 0, "momentum"): 0.9}, "$.run[0].momentum"),  # a key of another method
    ({("run", 0, "projection"): {"type": "gradient", "tol": 1}}, "$.run[0].projection.tol"),
    ({("run", 0, "stop"): {"grad": 1}}, "$.run[0].stop.grad"),
    ({("plot",): {"bxo": []}}, "$.plot.bxo"),
    ({("ball", "start"): {"around": [0], "count": 1, "spread": 1, "sede": 0}}, "$.ball.start.sede"),
    ({("surface", "type"): "nope"}, "$.surface.type"),
    ({("surface", "type"): 3}, "$.surface.type"),
    ({("surface", "dim"): 1.5}, "$.surface.dim"),
    ({("surface",): []}, "$.surface"),
    ({("run", 0, "method"): "nope"}, "$.run[0].method"),
    ({("run", 0, "lr"): "fast"}, "$.run[0].lr"),
    ({("run", 0, "lr"): True}, "$.run[0].lr"),
    ({("run", 0, "steps"): -1}, "$.run[0].steps"),
    ({("run", 0, "steps"): 1.5}, "$.run[0].steps"),
    ({("run", 0, "every"): 0}, "$.run[0].every"),
    ({("run", 0, "name"): 3}, "$.run[0].name"),
    ({("run", 0, "projection"): {"type": "nope"}}, "$.run[0].projection.type"),
    ({("run", 0, "projection"): {"type": "gradient", "step_size": "x"}}, "$.run[0].projection.step_size"),
    ({("run",): []}, "$.run"),
    ({("run",): 3}, "$.run"),
    ({("ball", "radius"): "x"}, "$.ball.radius"),
    ({("ball", "radius"): {"values": [1, 2], "kind": "x"}}, "$.ball.radius.kind"),
    ({("ball", "start"): 0.9}, "$.ball.start"),
    ({("ball", "start"): ["x"]}, "$.ball.start[0]"),
    ({("title",): 3}, "$.title"),
    ({("plot",): {"box": [[0, 1, 2]]}}, "$.plot.box[0]"),
]


@pytest.mark.parametrize(("changes", "path"), UNREADABLE, ids=lambda value: value if isinstance(value, str) else "")
def test_misspelt_keys_and_wrong_types_are_refused_by_their_path(changes, path, no_compiling):
    with pytest.raises(rb.InputError) as caught:
        to_scene(table(changes))
    assert str(caught.value).startswith(f"{path}: got ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({("ball", "radius"): "0.5"}, "a number or a table or a list"),
        ({("run",): {"method": "footpoint-rbo"}}, "a list; a list of tables is written [[run]]"),
        ({("run",): []}, "a list of length >= 1"),
        ({("run", 0, "lr"): {"values": [1, 2], "kind": "cosin"}}, "cosine? one of linear, geometric, cosine, hold"),
        ({("ball", "radius"): {"values": [1, 2], "kind": "x"}}, "linear, geometric, cosine, hold"),
        ({("run", 0, "steps"): -1}, "a whole number >= 0"),
        ({("run", 0, "stop"): {"gradient": "x"}}, "a number"),
        ({("ball", "lift"): "maybe"}, "true or false"),
        ({("title",): 3}, "text"),
        ({("plot",): {"box": [[0, 1, 2]]}}, "a list of length 2, not 3"),
        ({("run", 0, "lr"): NOT_GIVEN}, "a table; it is missing the key 'lr'"),
    ],
)
def test_what_is_allowed_is_said_in_words(changes, allowed, no_compiling):
    with pytest.raises(rb.InputError) as caught:
        to_scene(table(changes))
    assert caught.value.allowed == allowed


def test_a_run_is_named_by_its_number_or_its_name(no_compiling):
    scene = load_scene("roll")
    assert scene.arguments("radius-0.5")[:2] == scene.arguments(2)[:2] == scene.arguments(-2)[:2]
    for call in (scene.roll, scene.arguments, scene.memory):
        for index in (99, -5, "ball", 1.5, None, True):
            with pytest.raises(rb.InputError, match=r"^index: got .* within \[-4, 4\), or a name of gradient-descent"):
                call(index)


@pytest.mark.parametrize("changes", [changes for changes, _ in UNREADABLE])
def test_the_schema_refuses_what_is_refused(changes, validator):
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(table(changes))


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        (("surface",), r"\$: .*surface"),
        (("surface", "type"), r"\$.surface: .*type"),
        (("ball",), r"\$.ball: .*a start"),
        (("ball", "start"), r"\$.ball: .*start"),
        (("run",), r"\$.run: .*one run or more"),
        (("run", 0, "method"), r"\$.run\[0\]: .*method"),
        (("run", 0, "lr"), r"\$.run\[0\]: .*lr"),
        (("run", 0, "steps"), r"\$.run\[0\]: .*steps"),
    ],
)
def test_a_missing_key_is_named(missing, named, validator):
    with pytest.raises(rb.InputError, match=named):
        to_scene(table({missing: NOT_GIVEN}))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(table({missing: NOT_GIVEN}))


@pytest.mark.parametrize("plain", [None, 3, "text", [], {}])
def test_what_is_not_even_a_table_is_refused(plain):
    with pytest.raises(rb.InputError, match=r"^\$: got "):
        to_scene(plain)


# Values of the right kind that cannot be used are refused by the check, and nothing is compiled

UNUSABLE = [
    *[({("ball", "radius"): value}, "radius") for value in (0, -1, math.nan, math.inf, [1, -1], [])],
    ({("ball", "radius"): NOT_GIVEN}, "radius"),
    ({("ball", "radius"): {"values": [1, 0]}}, "radius"),
    ({("run", 0, "radius"): -1}, "radius"),
    *[({("run", 0, "lr"): value}, "lr") for value in (0, -0.1, math.nan, math.inf, [], [0.1, 0])],
    ({("run", 0, "steps"): 2**40}, "steps"),
    *[({("ball", "start"): value}, "start") for value in ([], [[]], [[math.nan]], [[math.inf]], [[1.0, 2.0]])],
    ({("ball", "start"): [[1.0], [1.0, 2.0]]}, "start"),
    ({("ball", "start"): {"around": [0, 1], "count": 2, "spread": 1}}, "start"),
    ({("ball", "start"): {"around": [], "count": 2, "spread": 1}}, "around"),
    ({("ball", "start"): {"around": [0], "count": 0, "spread": 1}}, "count"),
    ({("ball", "start"): {"around": [0], "count": 2, "spread": 0}}, "spread"),
    ({("ball", "start"): {"around": [0], "count": 2, "spread": 1e308}}, "spread"),
    ({("ball", "start"): {"around": [0], "count": 2, "spread": 1, "seed": -1}}, "seed"),
    ({("run", 0, "projection"): {"type": "gradient", "step_size": 0}}, "step_size"),
    ({("run", 0, "projection"): {"type": "newton", "tol": -1}}, "tol"),
    ({("run", 0, "stop"): {}}, "stop"),
    ({("run", 0, "stop"): {"gradient": -1}}, "gradient"),
    ({("dtype",): "float16"}, "dtype"),
    ({("seed",): -1}, "seed"),
    ({("surface", "dim"): 0}, "dim"),
    ({("surface", "dim"): 2}, "start"),
    ({("surface", "loss_scale"): 0}, "loss_scale"),
    ({("surface",): {"type": "quadratic", "matrix": [[1, 2], [3]]}}, "matrix"),
    ({("plot",): {"box": [[1, 0]]}}, "box"),
    ({("plot",): {"box": [[0, math.nan]]}}, "box"),
    ({("plot",): {"box": [[0, math.inf]]}}, "box"),
    ({("plot",): {"box": []}}, "box"),
    ({("plot",): {"box": [[0, 1], [0, 1]]}}, "box"),  # the surface has one axis
]


def refused(made):
    """The one-line message with which reading or checking refuses ``made``."""
    with pytest.raises(rb.InputError) as caught:
        to_scene(made).check()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("changes", "field"), UNUSABLE)
def test_unusable_values_are_refused_by_name_before_anything_is_compiled(changes, field, no_compiling):
    assert f"{field}: got " in refused(table(changes)).replace("radius.values", "radius")


@pytest.mark.parametrize("name", ["lr", "radius"])
def test_the_check_says_which_of_several_runs_is_wrong(name, no_compiling):
    made = table()
    made["run"] = [dict(made["run"][0]) for _ in range(3)]
    made["run"][2][name] = -1
    assert refused(made).startswith(f"$.run[2].{name}: got -1")


def test_a_long_list_of_starts_of_the_wrong_dimension_is_one_line(no_compiling):
    assert "start" in refused(table({("ball", "start"): [[float(i), 1.0] for i in range(50)]}))


@pytest.mark.parametrize(
    "text",
    ["__import__('os')", "x.__class__", "().__class__", "eval('x')", "f(x)", "y", "x[0]", "import os", "lambda: x",
     "x if x else 1", "[x for x in (1,)]", "sin", "sin(x, x)", "sin(*x)", "x; x", "x = 1", "(x := 1)", "f'{x}'", "'x'",
     "x and x", "True", "9**9**9**9*x", "x**x.real", "1/0", "1e999*x", "x // 2", "x @ x", "~x", "0x*", "", " ", "x\0",
     "(" * 5000 + "x", "-" * 3000 + "x", "x+" * 1900 + "x"],
)  # fmt: skip
def test_formulas_outside_the_grammar_are_refused(text, no_compiling):
    assert "formula" in refused(table({("surface",): {"type": "formula", "text": text}}))


@pytest.mark.parametrize(
    "more",
    [{"variables": ""}, {"variables": "x x"}, {"variables": ["x", 3]}, {"variables": "x-y"},
     {"constants": {"x": 1.0}}, {"constants": {"a": math.nan}}, {"constants": {"a": "b"}}, {"constants": {"a b": 1.0}}],
)  # fmt: skip
def test_names_of_formulas_are_checked(more, no_compiling):
    assert refused(table({("surface",): {"type": "formula", "text": "x**2", **more}}))


# Files that are not scenes

BROKEN = {
    "empty": "",
    "binary": bytes(range(256)),
    "utf-16": GOOD.encode("utf-16"),
    "nul": GOOD + "\0",
    "truncated": GOOD[: GOOD.index("lr =") + 3],
    "half a string": GOOD[: GOOD.index("point-rbo")],
    "a key twice": GOOD + "\nsteps = 6",
    "surrogate": GOOD.replace('"a test"', '"\\ud800"'),
    "deep array": GOOD.replace("[[0.9]]", "[" * 3000 + "]" * 3000),
    "rather deep array": GOOD.replace("[[0.9]]", "[" * 300 + "]" * 300),
    "deep table": "x = " + "{a=" * 3000 + "1" + "}" * 3000 + GOOD,
    "deep dotted key": "a." * 3000 + "b = 1" + GOOD,
    "huge integer": GOOD.replace("0.5", "1" + "0" * 5000),
    "beyond float": GOOD.replace("0.5", "1" + "0" * 400),
    "beyond float in a start": GOOD.replace("0.9", "1" + "0" * 400),
    "huge hexadecimal": GOOD.replace("steps = 5", "steps = 0x" + "f" * 5000),
    "infinite": GOOD.replace("0.5", "inf"),
    "a date": GOOD.replace("0.5", "2020-01-01"),
    "a time": GOOD.replace('"a test"', "10:00:00"),
    "mixed list": GOOD.replace("[[0.9]]", "[[0.9], 1]"),
    "ragged": GOOD.replace("[[0.9]]", "[[0.9], [1.0, 2.0]]"),
    "empty key": '"" = 1' + GOOD,
    "key with a backtick": '"a`b" = 1' + GOOD,
    "key with a newline": '"a\\nb" = 1' + GOOD,
    "tables swapped": GOOD.replace("[[run]]", "[run]").replace("[ball]", "[[ball]]"),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_one_line(content, tmp_path, no_compiling):
    with pytest.raises((rb.InputError, rb.FileError)) as caught:
        loaded(tmp_path, content)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_file_that_is_not_toml_is_named(tmp_path):
    with pytest.raises((rb.InputError, rb.FileError), match=str(tmp_path / "scene.toml")):
        loaded(tmp_path, b"\xff\xfe")


@given(st.binary(max_size=60), st.integers(0, len(GOOD)), st.integers(0, 30))
def test_damage_anywhere_is_refused_or_leaves_a_scene(tmp_path_factory, noise, place, cut):
    good = GOOD.encode()
    try:
        scene = loaded(tmp_path_factory.getbasetemp(), good[:place] + noise + good[place + cut :])
    except (rb.InputError, rb.FileError):
        return
    assert scene.run


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=4), inside, max_size=3),
    max_leaves=6,
)
PLACES = [
    ("title",),
    ("surface",),
    ("surface", "type"),
    ("surface", "amplitude"),
    ("ball", "start"),
    ("ball", "radius"),
]
PLACES += [("run",), ("run", 0), ("run", 0, "lr"), ("run", 0, "projection"), ("run", 0, "stop")]
PLACES += [("run", 0, "name")]


@given(st.sampled_from(PLACES), PLAIN)
def test_any_value_anywhere_is_refused_or_makes_a_scene(place, value):
    try:
        scene = to_scene(table({place: value}))
        scene.check()
    except rb.InputError:
        return
    assert scene.names()


# Overrides by dotted key


@pytest.mark.parametrize(
    ("key", "text", "found"),
    [
        ("ball.radius", "5", lambda scene: scene.ball.radius == 5),
        ("ball.radius", "[1, 2]", lambda scene: scene.ball.radius == [1, 2]),
        ("run.0.lr", "0.25", lambda scene: scene.run[0].lr == 0.25),
        ("run.0.stop.gradient", "1e-3", lambda scene: scene.run[0].stop == rb.Stop(gradient=1e-3)),
        ("run.0.projection", '{type = "gradient", steps = 7}',
         lambda scene: scene.arguments(0)[1].projection == rb.GradientProjection(steps=7)),
        ("surface.amplitude", "0.5", lambda scene: scene.surface.amplitude == 0.5),
        ("surface.type", "cubic", lambda scene: scene.build_surface().name == "cubic"),
        ("title", "plain words", lambda scene: scene.title == "plain words"),
        ("title", "", lambda scene: scene.title == ""),
        ("dtype", "float32", lambda scene: scene.arguments(0)[2]["dtype"] == "float32"),
    ],
)  # fmt: skip
def test_overrides_replace_one_value(key, text, found, tmp_path):
    assert not found(loaded(tmp_path, GOOD))
    assert found(loaded(tmp_path, GOOD, {key: text}))


@pytest.mark.parametrize(
    ("key", "text", "named"),
    [
        ("surface.width", "1", "$.surface.width"),
        ("ball.raduis", "1", "$.ball.raduis"),
        ("ball.radius", "abc", "$.ball.radius"),
        ("a.b.c", "1", "$.a"),
        ("run.1.lr", "1", "--run.1.lr"),
        ("run.-1.lr", "1", "--run.-1.lr"),
        ("run.².lr", "1", "--run.².lr"),
        ("run.lr", "1", "--run.lr"),
        ("run.0", "1", "--run.0"),
        ("run", "1", "$.run"),
        ("title.x", "1", "--title.x"),
        ("", "1", "$."),
        ("ball.radius", "[" * 3000, ""),
        ("ball.radius", "1" + "0" * 5000, ""),
        ("ball.radius", "1\nmore = 2", "$.ball.radius"),
    ],
)
def test_overrides_that_do_not_fit_are_refused_by_their_key(key, text, named, tmp_path, no_compiling):
    with pytest.raises(rb.InputError) as caught:
        loaded(tmp_path, GOOD, {key: text})
    assert str(caught.value).startswith(named)


# What a scene means


def test_each_radius_rolls_from_each_start():
    scene = to_scene(table({("ball", "radius"): [1.0, 2.0], ("ball", "start"): [[0.0], [3.0], [4.0]]}))
    ball, method, options = scene.arguments(0)
    assert (ball.radius, method) == ([1, 1, 1, 2, 2, 2], rb.FootpointRBO(lr=0.02))
    assert options["start"].tolist() == [[0], [3], [4], [0], [3], [4]]


def test_a_run_may_have_a_radius_of_its_own():
    ball, _, options = to_scene(table({("run", 0, "radius"): [3.0]})).arguments(0)
    assert (ball.radius, options["start"].tolist()) == ([3.0], [[0.9]])


def test_a_method_without_a_ball_needs_no_radius():
    scene = to_scene(table({("ball", "radius"): NOT_GIVEN, ("run", 0, "method"): "gradient-descent"}))
    scene.check()
    assert scene.arguments(0)[:2] == (None, rb.GradientDescent(lr=0.02))


def test_rolling_a_scene_is_simulating_its_arguments():
    scene = to_scene(table({("ball", "radius"): [0.3, 0.5], ("ball", "start"): [[0.9], [2.0]]}))
    run = scene.roll(0, gap=None)
    again = rb.simulate(
        rb.surfaces.sine(), rb.Ball([0.3, 0.3, 0.5, 0.5]), rb.FootpointRBO(lr=0.02),
        start=[[0.9], [2.0], [0.9], [2.0]], steps=5, gap=None,
    )  # fmt: skip
    np.testing.assert_array_equal(run.foot, again.foot)
    assert run.radius[0].tolist() == [0.3, 0.3, 0.5, 0.5]


def test_a_cloud_is_drawn_from_its_seed_within_its_cube():
    cloud = Cloud(around=[2.0, -1.0], count=200, spread=0.1, seed=4)
    points = cloud.points()
    np.testing.assert_array_equal(points, Cloud(around=[2.0, -1.0], count=200, spread=0.1, seed=4).points())
    assert points.shape == (200, 2)
    assert not np.array_equal(points, Cloud(around=[2.0, -1.0], count=200, spread=0.1, seed=5).points())
    away = np.abs(points - [2.0, -1.0])
    assert 0.09 < away.max() <= 0.1


# File names


@pytest.mark.parametrize(
    "given_names",
    [
        [None, None, None],
        ["a", "a", "a-2"],
        ["a-2", "a", "a"],
        ["a-1", "a", "a", "a-1"],
        ["a b", "a/b", "a\\b"],
        ["../../etc/x", "/etc/passwd", "..", ".", "~", "C:\\x"],
        ["", " ", "\0", "\n", "é∑", "-rf"],
        ["A", "a"],  # one file where names fold their case
        ["n" * 300],
    ],
)
def test_names_of_runs_are_different_safe_file_names(given_names, tmp_path):
    made = table()
    made["run"] = [made["run"][0] | ({} if name is None else {"name": name}) for name in given_names]
    names = to_scene(made).names()
    assert len({name.lower() for name in names}) == len(given_names)
    for name in names:
        path = tmp_path / f"{name}.safetensors"
        assert path.resolve().parent == tmp_path.resolve()
        assert name.isascii()
        assert not name.startswith((".", "-"))
        path.write_bytes(b"")
    assert len(list(tmp_path.iterdir())) == len(given_names)


# The schema for editors


def test_the_schema_is_json_and_a_schema():
    jsonschema.Draft202012Validator.check_schema(json.loads(json.dumps(schema())))


@pytest.mark.parametrize("name", shipped())
def test_shipped_scenes_fit_the_schema(name, validator):
    validator.validate(tomllib.loads(shipped()[name].read_text()))


def tags(field):
    """What the schema allows in the tag ``field`` of any of its tables."""
    tables = [part.get("properties", {}).get(field, {}) for part in schema()["$defs"].values()]
    return {value for part in tables for value in [*part.get("enum", []), part.get("const")] if value}


def test_the_schema_knows_every_surface_and_method():
    assert set(rb.surfaces.CATALOGUE) <= tags("type")
    own = {method.__struct_config__.tag for method in (*METHODS, *FLOWS, *BODIES)}
    # other files of tests register methods of their own
    assert tags("method") - own == set(METHOD_CLASSES.classes) - own
    assert own <= tags("method")


def test_a_formula_in_a_scene_may_be_compiled():
    formula = {"type": "formula", "text": "x**2"}
    for compiled in (False, True):
        surface = to_scene(table({("surface",): {**formula, "compiled": compiled}})).build_surface()
        assert surface.builder is rb.formula("x**2", compiled=compiled).builder
        assert surface.recipe["compiled"] is compiled
    assert to_scene(table({("surface",): formula})).build_surface().recipe["compiled"] is False
    assert "compiled" in refused(table({("surface",): {**formula, "compiled": "yes"}}))


@pytest.mark.parametrize("name", rb.surfaces.CATALOGUE)
def test_every_surface_can_be_named_in_a_scene(name):
    needed = {
        "plane": {"slope": [1.0]},
        "quadratic": {"matrix": [[1.0]]},
        "max-of-planes": {"slopes": [[1.0], [-1.0]]},
        "formula": {"text": "x**2"},
        "cosine-sum": {"amplitudes": [1.0], "frequencies": [[1.0]]},
        "sine-mse": {"x": [0.0, 1.0], "y": [0.0, 0.5]},
        "sampled": {"heights": [0.0, 1.0, 0.0, 2.0], "box": [[-1.0, 1.0]]},
        "stretched": {"surface": {"type": "sine"}, "units": [2.0]},
    }
    surface = to_scene(table({("surface",): {"type": name, **needed.get(name, {})}})).build_surface()
    assert surface.name == name
    assert to_scene(table({("surface",): surface.recipe})).build_surface().recipe == surface.recipe


# A goal in the pictures


@pytest.mark.parametrize(
    ("goal", "named"),
    [({"point": [0.0, 0.0]}, "$.plot.goal.point"), ({"point": [0.0], "within": 0.0}, "$.plot.goal.within"),
     ({"within": 1.0}, "point"), ({"point": ["x"]}, "$.plot.goal.point")],
)  # fmt: skip
def test_a_goal_is_a_point_of_the_surface_and_a_distance_above_zero(goal, named):
    with pytest.raises(rb.InputError, match=re.escape(named)):
        to_scene(table({("plot",): {"box": [[-1.0, 1.0]], "goal": goal}})).check()
    to_scene(table({("plot",): {"box": [[-1.0, 1.0]], "goal": {"point": [0.5]}}})).check()


def test_pictures_call_runs_as_they_were_written():
    scene = load_scene("demo")
    assert scene.titles() == {"gradient-descent": "gradient descent", "ball": "ball"}
    twice = to_scene(table({("run",): [{"method": "footpoint-rbo", "lr": 0.1, "steps": 1}] * 2}))
    assert list(twice.titles().values()) == twice.names()
