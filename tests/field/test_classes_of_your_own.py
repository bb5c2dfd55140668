"""Classes of users' own: those that a file can give are read from it, and the others keep no file from being read."""

import numpy as np
import pytest

import rollingball as rb
from rollingball.methods import METHOD_CLASSES

SINE = rb.surfaces.sine()
SCENE = """
[surface]
type = "sine"
[ball]
radius = 0.5
start = [[0.9]]
[[run]]
method = "{}"
lr = 0.1
steps = 3
"""


@pytest.fixture(autouse=True)
def without_leftovers():
    """The classes known after a test are those known before it."""
    known = dict(METHOD_CLASSES.classes)
    yield
    METHOD_CLASSES.classes = known


def method(name, constructor):
    """A method, as a plain class with this constructor, that moves as gradient descent does."""
    plain = rb.GradientDescent(0.1)
    members = {
        "__init__": constructor, "rolls": False, "uses_radius": False, "settings": lambda self: plain.settings(),
        "program": lambda self, surface, numeric: plain.program(surface, numeric), "__module__": __name__,
    }  # fmt: skip
    return type(name, (), members)


def plain_constructor(self, lr: float, decay: float = 0.0):
    self.lr, self.decay = lr, decay


def without_types(self, lr, decay=0.0):
    self.lr, self.decay = lr, decay


def with_any_arguments(self, *lr: float):
    self.lr = lr[0]


def with_any_names(self, **options: float):
    self.lr = options["lr"]


def by_place_alone(self, lr: float, /):
    self.lr = lr


def of_an_unknown_type(self, lr: "Rate"):  # noqa: F821 - a name that does not exist
    self.lr = lr


def named_as_the_tag(self, lr: float, method: str = ""):
    self.lr, self.method = lr, method


UNREADABLE = [
    without_types, with_any_arguments, with_any_names, by_place_alone, of_an_unknown_type, named_as_the_tag,
]  # fmt: skip


def load(folder, name):
    (folder / "scene.toml").write_text(SCENE.format(name))
    return rb.load_scene(folder / "scene.toml")


def test_a_plain_class_is_read_by_the_annotations_of_its_constructor(tmp_path):
    rb.register(method("Plain", plain_constructor))
    chosen = load(tmp_path, "plain").arguments(0)[1]
    assert (chosen.lr, chosen.decay) == (0.1, 0.0)
    run = rb.simulate(SINE, None, chosen, start=[0.5], steps=3)
    run.save(tmp_path / "run.safetensors")
    longer = rb.resume(rb.Trajectory.load(tmp_path / "run.safetensors"), 3)
    whole = rb.simulate(SINE, None, rb.GradientDescent(0.1), start=[0.5], steps=6)
    np.testing.assert_array_equal(longer.foot, whole.foot)


@pytest.mark.parametrize("constructor", UNREADABLE)
def test_a_class_that_no_file_can_give_is_refused_and_the_others_are_read(constructor, tmp_path):
    with pytest.raises(rb.InputError, match=r"^cls: got .*Strange.* arguments have names, and annotations"):
        rb.register(method("Strange", constructor))
    assert isinstance(load(tmp_path, "gradient-descent").arguments(0)[1], rb.GradientDescent)


@pytest.mark.parametrize("constructor", [without_types, by_place_alone])
def test_it_rolls_without_being_registered_and_the_others_are_still_read(constructor, tmp_path):
    run = rb.simulate(SINE, None, method("Unnamed", constructor)(0.1), start=[0.5], steps=3)
    plain = rb.simulate(SINE, None, rb.GradientDescent(0.1), start=[0.5], steps=3)
    np.testing.assert_array_equal(run.foot, plain.foot)
    load(tmp_path, "gradient-descent")
    with pytest.raises(rb.InputError, match="unnamed"):
        rb.resume(run, 3)


def test_an_object_that_does_not_keep_its_arguments_is_refused_before_it_rolls(no_compiling):
    def forgetful(self, lr: float, decay: float = 0.0):
        self.lr = lr

    with pytest.raises(rb.InputError, match=r"^method: got .*Forgetful.* keeps the arguments .* decay"):
        rb.simulate(SINE, None, method("Forgetful", forgetful)(0.1), start=[0.5], steps=3)


@pytest.mark.parametrize("name", ["", 3, ["own"], b"own", "own\n"])
def test_a_name_that_no_file_can_give_is_refused(name):
    with pytest.raises(rb.InputError, match=r"^name: got "):
        rb.register(method("Own", plain_constructor), name)


def test_a_class_in_place_of_its_object_is_refused():
    calls = {
        "projection": [
            lambda: rb.FootpointRBO(0.1, rb.NewtonProjection), lambda: rb.DistanceRBO(0.1, rb.NewtonProjection),
            lambda: rb.project(SINE, [[0.0, 2.0]], projection=rb.GlobalProjection),
        ],
        "integrator": [lambda: rb.FootpointFlow(rb.RK4), lambda: rb.IronedFlow(rb.Dopri5)],
    }  # fmt: skip
    for field, refused in calls.items():
        for call in refused:
            with pytest.raises(rb.InputError, match=rf"^{field}: got <class"):
                call()
