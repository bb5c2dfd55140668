"""The families of methods, and which of them a method belongs to."""

from __future__ import annotations

from typing import Any

from rollingball.core.errors import InputError
from rollingball.methods import METHOD_CLASSES
from rollingball.methods.body.roll import BODY
from rollingball.methods.discrete.roll import DISCRETE
from rollingball.methods.flow.roll import FLOW
from rollingball.runs.plan import Family

FAMILIES = (FLOW, BODY, DISCRETE)


def family_of(method: Any) -> Family:
    """The family of a method.

    Raises:
        InputError: for what is no method.
    """
    for family in FAMILIES:
        if family.owns(method):
            return family
    names = ", ".join(cls.__name__ for cls in METHOD_CLASSES.classes.values())
    raise InputError("method", method, f"{names}, or an object with the members of rb.Method")
