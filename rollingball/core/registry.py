"""Classes by the names that scenes and saved runs give them: those of the library, and those that users register.

A class has a registry if scenes may choose among several of its kind: methods, projections, integrators. A table of a
file names the class by a tag, and has the arguments of its constructor as keys:

    [run.projection]
    type = "newton"
    tol = 1e-12
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
import threading
import types
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import numpy as np

from rollingball.core.errors import InputError


class Registry:
    """Classes of one kind by name.

    Attributes:
        kind: The kind in words, such as "projection".
        protocol: What an instance has to have.
        tag_field: The key of a table that names the class.
    """

    def __init__(self, kind: str, protocol: Any, tag_field: str, classes: Iterable[type]) -> None:
        self.kind, self.protocol, self.tag_field = kind, protocol, tag_field
        self.classes: dict[str, type] = {}
        self._own: dict[str, type] = {}
        self.extend(classes)
        REGISTRIES[protocol] = self

    @property
    def one(self) -> str:
        """One of the kind, in words, such as "an integrator"."""
        return f"{'an' if self.kind[0] in 'aeiou' else 'a'} {self.kind}"

    def extend(self, classes: Iterable[type]) -> None:
        """Add classes of the library."""
        self._own |= {name_of(cls): cls for cls in classes}
        self.classes |= self._own

    def add(self, cls: type, name: str) -> None:
        """Let files name ``cls``; a class of a user's with the same name is replaced.

        Raises:
            InputError: for the name of a class of the library, or one that a file cannot give; and for a constructor
                whose arguments a file cannot give.
        """
        self._check_name(cls, name)
        check_readable(self, cls, name)
        with _LOCK:
            self.classes[name] = cls
            _TABLES.clear()

    def _check_name(self, cls: type, name: Any) -> None:
        if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9-]*", name):
            raise InputError("name", name, "lower-case letters, digits and '-', the first a letter")
        if self._own.get(name, cls) is not cls:
            raise InputError("name", name, f"a name that no {self.kind} of the library has")

    def name(self, cls: type) -> str:
        """The name of a class; one that nobody registered is remembered from now on, so that its runs can go on.

        It is not remembered where a file cannot give the arguments of its constructor.
        """
        for name, known in self.classes.items():
            if known is cls:
                return name
        self._check_name(cls, name_of(cls))
        with contextlib.suppress(InputError):
            self.add(cls, name_of(cls))
        return name_of(cls)

    def tables(self, extra: Callable[[type], list[Any]] = lambda cls: []) -> tuple[Any, ...]:
        """The tables of all classes (see :func:`table_of`), each with the fields of ``extra(cls)`` besides."""
        classes = self.classes.items()
        return tuple(table_of(self.kind, cls, name, self.tag_field, tuple(extra(cls))) for name, cls in classes)

    def read(self, table: Any) -> Any:
        """The object that a plain table describes.

        Raises:
            msgspec.ValidationError: for a table that describes none.
        """
        return built(msgspec.convert(table, Union[self.tables()]))  # noqa: UP007 - made at run time


REGISTRIES: dict[Any, Registry] = {}
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_PLAIN = (str, bool, int, float, type(None))
_LOCK = threading.RLock()
_TABLES: dict[Any, Any] = {}
_CLASS_OF: dict[type, Any] = {}  # by the table
_WITHOUT_KIND: weakref.WeakSet[type] = weakref.WeakSet()  # classes that have been compared with all kinds, slowly


def name_of(cls: type) -> str:
    """The name that files give a class: its tag as a msgspec.Struct, or its own name in lower case with dashes."""
    tag = getattr(getattr(cls, "__struct_config__", None), "tag", None)
    return tag if isinstance(tag, str) else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()


def registry_of(value: Any) -> Registry | None:
    """The registry of an object's class, also where the class is not registered; None where it has no kind."""
    for registry in REGISTRIES.values():
        if type(value) in registry.classes.values():
            return registry
    if type(value) in _WITHOUT_KIND:
        return None
    found = next((registry for protocol, registry in REGISTRIES.items() if isinstance(value, protocol)), None)
    if found is None:
        _WITHOUT_KIND.add(type(value))
    return found


def table_of(kind: str, factory: Any, name: str, tag_field: str, extra: tuple[Any, ...] = ()) -> Any:
    """A struct whose fields are the arguments of a class or function; ``built`` makes the object of an instance."""
    key = (kind, factory, name, tag_field, repr(extra))
    with _LOCK:
        if key not in _TABLES:
            hints = _hints(factory)
            fields: list[Any] = []
            for parameter in inspect.signature(factory).parameters.values():
                hint = _readable(hints[parameter.name])
                required = parameter.default is inspect.Parameter.empty
                fields.append((parameter.name, hint) if required else (parameter.name, hint, parameter.default))
            title = re.sub(r"\W", "", f"{name} {kind} table".title())
            _TABLES[key] = msgspec.defstruct(
                title, [*fields, *extra], tag=name, tag_field=tag_field, forbid_unknown_fields=True, kw_only=True,
                frozen=True,
            )  # fmt: skip
            _CLASS_OF[_TABLES[key]] = factory
        return _TABLES[key]


def _hints(factory: Any) -> dict[str, Any]:
    """The types of the arguments of a class or function by name; a plain class annotates them in its __init__."""
    hints = get_type_hints(inspect.unwrap(factory))
    return {**hints, **get_type_hints(vars(factory).get("__init__", factory))} if isinstance(factory, type) else hints


def check_readable(registry: Registry, cls: type, name: str) -> None:
    """Refuse a class whose constructor's arguments the tables of a file cannot give.

    One such class among many would keep every file from being read.

    Raises:
        InputError: naming ``cls`` and the argument.
    """
    kind, tag_field = registry.kind, registry.tag_field
    allowed = f"{registry.one} whose constructor's arguments have names, and annotations of types that TOML has"
    try:
        hints = _hints(cls)
        for parameter in inspect.signature(cls).parameters.values():
            if parameter.kind not in _NAMED or parameter.name not in hints or parameter.name == tag_field:
                raise InputError("cls", cls, f"{allowed}; not {parameter}")
        msgspec.convert({tag_field: name}, table_of(kind, cls, name, tag_field))
    except msgspec.ValidationError:  # an argument without a default is missing, as it may be
        return
    except (NameError, AttributeError, TypeError) as error:
        raise InputError("cls", cls, f"{allowed} ({error})") from None
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError("cls", cls, f"{allowed} ({error})") from None


def built(table: Any) -> Any:
    """The object that an instance of a table of :func:`table_of` describes; the fields besides are left out."""
    factory = _CLASS_OF[type(table)]
    arguments = {name: getattr(table, name) for name in _arguments(factory)}
    return factory(**{name: built(v) if type(v) in _CLASS_OF else v for name, v in arguments.items()})


def written(value: Any) -> Any:
    """A value as plain JSON: arrays become lists, and an object of a registered kind a table with its name."""
    if type(value) in _PLAIN:
        return value
    plain = isinstance(value, (dict, list, tuple, str, int, float))
    registry = None if plain else registry_of(value)
    if registry is None:  # also arrays of NumPy, torch and Warp
        return msgspec.to_builtins(value, enc_hook=lambda item: np.asarray(item).tolist())
    arguments = _arguments(value.__class__)
    lacking = [name for name in arguments if not hasattr(value, name)]
    if lacking:
        allowed = f"an object that keeps the arguments of its constructor, as {', '.join(lacking)}"
        raise InputError(registry.kind, value, allowed)
    fields = {name: written(getattr(value, name)) for name in arguments}
    return {registry.tag_field: registry.name(type(value)), **fields}


@functools.cache
def _arguments(factory: Any) -> tuple[str, ...]:
    """The names of the arguments of a class or function."""
    return tuple(inspect.signature(factory).parameters)


def _readable(hint: Any) -> Any:
    """A Python annotation as a type that values of TOML and JSON convert to."""
    if hint in REGISTRIES:
        return Union[REGISTRIES[hint].tables()]  # noqa: UP007 - made at run time
    if get_origin(hint) in (Union, types.UnionType):
        kept = [_readable(part) for part in get_args(hint) if part is not np.ndarray]
        return Union[tuple(dict.fromkeys(kept))]  # noqa: UP007 - made at run time
    if get_origin(hint) is Sequence:
        return list[_readable(get_args(hint)[0])]  # type: ignore[misc]
    return hint
