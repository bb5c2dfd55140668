"""Arguments that are not there: every public function says which one was probably meant."""

import inspect
import pickle
from types import FunctionType

import pytest

import rollingball as rb
from rollingball.core.arguments import suggesting

FACES = {"rb": rb, "rb.plot": rb.plot, "rb.pytorch": rb.pytorch, "rb.surfaces": rb.surfaces}
PUBLIC = [
    (face, name)
    for face, module in FACES.items()
    for name in module.__all__
    if isinstance(getattr(module, name), FunctionType)
]


def test_there_are_many():
    assert len(PUBLIC) > 60


@pytest.mark.parametrize(("face", "name"), PUBLIC)
def test_a_misspelt_argument_is_asked_about(face, name):
    function = getattr(FACES[face], name)
    for known, one in inspect.signature(function).parameters.items():
        if one.kind is one.KEYWORD_ONLY or one.kind is one.POSITIONAL_OR_KEYWORD:
            for misspelt in (known[:-1], known + "s") if len(known) > 3 else ():
                if misspelt not in inspect.signature(function).parameters:
                    with pytest.raises(TypeError, match="did you mean "):
                        function(**{misspelt: None})


def test_step_for_steps_is_asked_about_also_where_arguments_are_passed_on():
    for call in (rb.simulate, rb.resume, rb.sensitivity_field, rb.pytorch.simulate):
        with pytest.raises(TypeError, match=r"unexpected keyword argument 'step'; did you mean 'steps'\?"):
            call(step=3)


def test_what_is_near_nothing_is_the_error_of_python():
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'zzz'$"):
        rb.simulate(zzz=1)


def test_a_public_function_is_one_object_wherever_it_is_found():
    assert pickle.loads(pickle.dumps(rb.contacts)) is rb.contacts  # noqa: S301 - of this test
    assert rb.formula is rb.surfaces.formula
    assert suggesting(rb.formula) is rb.formula
    assert rb.load_scene("demo").title


@pytest.mark.parametrize("face", FACES)
def test_dir_shows_public_names_only(face):
    assert set(dir(FACES[face])) - {"__version__"} == set(FACES[face].__all__)


def test_what_builds_nothing_is_refused():
    for wrong in (3, None, "build"):
        with pytest.raises(rb.InputError, match=r"^build: got .* a function"):
            rb.compiled(wrong)
