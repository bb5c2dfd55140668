"""The arrows of the design, and other promises that only the text of the package can break."""

import ast
import functools
import importlib.metadata
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rollingball as rb

PACKAGE = Path(rb.__file__).parent
ROOT = PACKAGE.parent
FILES = sorted(PACKAGE.rglob("*.py"))
KNOWN = set(FILES)
HEAVY = {"torch", "matplotlib", "sympy", "viser", "tqdm", "scipy", "pandas", "jax", "numba", "sklearn"}
LONGEST = 350

# The rooms of the package from the ground up. A file imports from its own room, from those in lines above its own, and
# nothing else, at the top or inside a function; the face of the package alone imports from all of them.
FLOORS = [
    ["core"],
    ["surfaces"],
    ["geometry"],
    ["runs"],
    ["methods"],
    ["simulate"],
    ["derivatives"],
    ["plot", "pytorch"],
    ["app"],
    ["__main__"],
]
# The same inside three rooms.
INNER = {
    "app": [
        ["scene_tables", "scene_text"],
        ["scene"],
        ["doctor", "manifest", "paper", "training"],
        ["folder", "studies"],
        ["export", "rolling", "warm"],
        ["commands"],
        ["cli"],
    ],
    "geometry": [["linear"], ["normal", "hull"], ["search"], ["foot"], ["contact"], ["ironing"]],
    "methods": [
        ["event", "direction"],
        ["integrators"],
        ["discrete", "flow", "body"],
        ["__init__"],
        ["rebuild", "differentiable", "families", "register"],
    ],
    "plot": [["common"], ["panels"], ["sheets", "film", "page", "notebook"], ["formats"]],
}
# What the face attaches to classes below, inside functions.
ATTACHED = {"rollingball.plot.notebook", "rollingball.pytorch.runs.simulate"}


def named(path):
    return str(path.relative_to(PACKAGE))


def room_of(path, depth=0):
    """The room of a file: its folder in the package, or itself at the top; at depth 1 the same inside its room."""
    return path.relative_to(PACKAGE).parts[depth].removesuffix(".py")


def imported(tree, path):
    """(module, names) of every import anywhere in a file, relative ones made absolute, and whether it is at the top."""
    top = set(map(id, run_at_import(tree.body)))
    for node in ast.walk(tree):
        at_top = id(node) in top
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, [], at_top
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                folder = ["rollingball", *path.relative_to(PACKAGE).parts[:-1]]
                module = ".".join([*folder[: len(folder) - node.level + 1], *module.split(".")]).rstrip(".")
            yield module, [alias.name for alias in node.names], at_top
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__"):
                yield str(node.args[0].value), [], False


def run_at_import(body):
    """The statements that importing a file runs: those at its top, in classes, if and try; none for type checkers."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from run_at_import(node.orelse)
            continue
        yield node
        for inside in ("body", "orelse", "finalbody"):
            yield from run_at_import(getattr(node, inside, []))
        for handler in getattr(node, "handlers", []):
            yield from run_at_import(handler.body)


@functools.cache
def parsed(path):
    """The syntax tree of a file, which many tests here read and none changes."""
    return ast.parse(path.read_text())


@functools.cache
def imports_of(path):
    """What :func:`imported` finds in a file of the package."""
    return list(imported(parsed(path), path))


def file_of(module):
    """The file of a module of the package."""
    place = PACKAGE.joinpath(*module.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def files_seen(path):
    """The files of the package that a file imports, anywhere in it."""
    seen = set()
    for module, names, _ in imports_of(path):
        if module.split(".")[0] == "rollingball":
            inside = {file_of(f"{module}.{name}") for name in names} & KNOWN
            seen |= inside if len(inside) == len(names) and names else inside | {file_of(module)}
    return seen - {path}


@functools.cache
def graph():
    """The files of the package that each of its files imports; not read before a test asks, since all processes of a
    whole run import this file and one of them runs it."""
    return {path: files_seen(path) for path in FILES}


FACE = PACKAGE / "__init__.py"


def floor_of(room, floors):
    """On which floor a room is."""
    return next(number for number, rooms in enumerate(floors) if room in rooms)


# Arrows


def test_the_reader_of_imports_reads_them_all():
    text = """
import rollingball.app.cli
from rollingball import plot, Ball
from . import rollout
from .numeric import Numeric
if TYPE_CHECKING:
    import torch
def late():
    import sympy
    importlib.import_module("rollingball.plot")
try:
    import scipy.linalg
except ImportError:
    import viser
"""
    found = list(imported(ast.parse(text), PACKAGE / "geometry" / "x.py"))
    assert {module for module, _, at_top in found if at_top} == {
        "rollingball.app.cli", "rollingball", "rollingball.geometry", "rollingball.geometry.numeric", "scipy.linalg",
        "viser",
    }  # fmt: skip
    assert {module for module, _, at_top in found if not at_top} == {"torch", "sympy", "rollingball.plot"}


def test_the_top_of_the_package_is_three_files_and_the_rooms():
    assert {path.name for path in PACKAGE.glob("*.py")} == {"__init__.py", "__main__.py", "simulate.py"}
    assert {room_of(path) for path in FILES} - {"__init__"} == {room for rooms in FLOORS for room in rooms}


@pytest.mark.parametrize("path", [path for path in FILES if path != FACE], ids=named)
def test_each_file_imports_from_its_own_room_and_from_the_floors_below(path):
    own, floor = room_of(path), floor_of(room_of(path), FLOORS)
    for seen in graph()[path]:
        assert room_of(seen) == own or floor_of(room_of(seen), FLOORS) < floor, f"{named(path)} imports {named(seen)}"


@pytest.mark.parametrize("room", INNER)
def test_the_same_holds_inside_a_room(room):
    for path in (PACKAGE / room).rglob("*.py"):
        own = room_of(path, 1)
        for seen in graph()[path]:
            if room_of(seen) == room and own != "__init__" and room_of(seen, 1) != own:
                below = floor_of(room_of(seen, 1), INNER[room]) < floor_of(own, INNER[room])
                assert below, f"{named(path)} imports {named(seen)}"


def test_files_import_each_other_in_no_circle_those_inside_functions_counted():
    left = {path: set(seen) for path, seen in graph().items()}
    while ready := {path for path, seen in left.items() if not seen & set(left)}:
        left = {path: seen for path, seen in left.items() if path not in ready}
    assert sorted(map(named, left)) == []


def test_importing_the_package_imports_neither_pictures_nor_torch_nor_the_program():
    tops = {module for module, _, at_top in imports_of(FACE) if at_top}
    late = {module for module, _, at_top in imports_of(FACE) if not at_top}
    above = {"plot", "pytorch", "app"}
    assert {module for module in tops if module.split(".")[1:2] and module.split(".")[1] in above} == set()
    assert {module for module in late if module.count(".") > 1} == ATTACHED | {"rollingball.app.scene"}


@pytest.mark.parametrize("path", FILES, ids=named)
def test_heavy_packages_are_imported_inside_functions(path):
    tops = {module.split(".")[0] for module, _, at_top in imports_of(path) if at_top}
    allowed = {"torch"} if room_of(path) == "pytorch" else set()
    assert tops & HEAVY <= allowed


def test_every_package_that_is_imported_is_declared():
    declared = importlib.metadata.requires("rollingball") or []
    wanted = {re.match(r"[A-Za-z0-9._-]+", line)[0] for line in declared if "extra" not in line}
    optional = {re.match(r"[A-Za-z0-9._-]+", line)[0] for line in declared} - wanted
    # the parts that may import what an extra brings
    late = {("viser", "plot"), ("usd-core", "plot"), ("rerun-sdk", "plot")}
    for path in FILES:
        for module, _, _ in imports_of(path):
            top = module.split(".")[0]
            if top in sys.stdlib_module_names or top == "rollingball":
                continue
            name = {"warp": "warp-lang", "PIL": "pillow", "pxr": "usd-core", "rerun": "rerun-sdk"}.get(top, top)
            assert name in wanted or (name in optional and (name, room_of(path)) in late), f"{named(path)}: {name}"


def test_only_drawing_and_torch_parts_import_matplotlib_viser_and_torch():
    owners = {"matplotlib": {"plot", "app"}, "viser": {"plot"}, "torch": {"pytorch"}, "sympy": {"surfaces"}}
    for path in FILES:
        for module, _, _ in imports_of(path):
            package = module.split(".")[0]
            assert room_of(path) in owners.get(package, {room_of(path)}), f"{named(path)} imports {package}"


# Text


@pytest.mark.parametrize("path", FILES, ids=named)
def test_files_are_short_enough_to_read(path):
    assert len(path.read_text().splitlines()) <= LONGEST


FORBIDDEN = {"eval", "exec", "compile", "__import__", "pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal"}
FORBIDDEN |= {"shelve", "sympify", "parse_expr", "lambdify", "S", "os.system", "torch.load"}


def words(tree):
    """Every bare name, import, and dotted name of a file, and keywords that allow pickles."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            whole = ast.unparse(node)
            yield whole
            if whole.split(".")[0] in ("sympy", "sp", "builtins"):
                yield node.attr
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (getattr(node, "module", None) or "").split(".")
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "shell"):
            yield from ["pickle"] * (getattr(node.value, "value", True) is not False)


@pytest.mark.parametrize(
    "text",
    ["eval('1')", "exec('1')", "import pickle", "from pickle import loads", "sympy.sympify(x)", "from sympy import S",
     "np.load(f, allow_pickle=True)", "os.system('x')", "torch.load(f)", "run(x, shell=True)"],
)  # fmt: skip
def test_the_reader_of_words_finds_what_executes_text(text):
    assert FORBIDDEN & set(words(ast.parse(text)))


@pytest.mark.parametrize("path", FILES, ids=named)
def test_nothing_executes_text_or_unpickles(path):
    assert FORBIDDEN & set(words(parsed(path))) == set()


# The public face


@pytest.mark.parametrize("name", rb.__all__)
def test_every_public_name_has_a_docstring_of_its_own(name):
    thing = getattr(rb, name)
    text = vars(thing).get("__doc__") if isinstance(thing, type) else thing.__doc__
    assert text
    assert not text.startswith(f"{name}("), "the one that dataclasses make"
    assert text.strip().splitlines()[0].endswith((".", ":"))


def test_public_names_are_those_of_the_modules_face():
    assert len(set(rb.__all__)) == len(rb.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = rb.nope
    assert rb.plot.sheet.__doc__


def test_the_version_is_the_same_everywhere():
    assert importlib.metadata.version("rollingball") == rb.__version__
    if not (ROOT / "CITATION.cff").is_file():
        pytest.skip("not a checkout")
    assert re.findall(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE) == [rb.__version__]
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == rb.__version__


def test_no_tracked_file_mentions_folders_outside_the_project():
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    outside = [f"/{name}/".encode() for name in ("work", "root", "tmp", "home")]
    files = [path for name in listed.split("\0") if (path := ROOT / name).is_file()]
    assert len(files) > 20
    mentions = {path.name: word for path in files for word in outside if word in path.read_bytes()}
    assert mentions == {}
