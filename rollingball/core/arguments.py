"""Arguments that a public function does not have: the error says which one was probably meant."""

from __future__ import annotations

import difflib
import functools
import inspect
import sys
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any

MARK = "suggests_arguments"


def suggest_arguments(face: dict[str, Any], names: Iterable[str], passed_on: Iterable[str] = ()) -> None:
    """Make public functions say "did you mean" where they are called with the name of no argument.

    Each function is replaced in the module that defines it as well, so that it stays one object.

    Args:
        face: The names of the module that makes the functions public; they are replaced there.
        names: The names of it that are public.
        passed_on: Names of arguments that a function with ``**options`` passes on to another.
    """
    for name in face.keys() & set(names):
        function: Any = face[name]
        if isinstance(function, FunctionType):
            face[name] = suggesting(function, passed_on)
            home, own = vars(sys.modules[function.__module__]), function.__name__
            if home.get(own) is function:
                home[own] = face[name]


def suggesting(function: Callable[..., Any], passed_on: Iterable[str] = ()) -> Callable[..., Any]:
    """A function that is checked for names of arguments that it does not have, before it is called."""
    if getattr(function, MARK, False):  # public in two places
        return function
    parameters = inspect.signature(function).parameters
    known = [name for name, one in parameters.items() if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)]
    takes_more = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    allowed = {*known, *passed_on} if takes_more else set(known)

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        for name in kwargs.keys() - allowed:
            close = difflib.get_close_matches(name, sorted(allowed), 1, 0.7)
            if close:
                question = f"did you mean {close[0]!r}?"
                raise TypeError(f"{function.__name__}() got an unexpected keyword argument {name!r}; {question}")
        return function(*args, **kwargs)

    setattr(checked, MARK, True)
    return checked
