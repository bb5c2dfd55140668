"""The arrows of the design, and other promises that only the text of the package can break."""

import ast
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
HEAVY = {"torch", "matplotlib", "sympy", "viser", "tqdm", "scipy", "pandas", "jax", "numba", "sklearn"}
LONGEST = 350

# What the parts below may see of the package, besides themselves.
FLOOR = {"errors", "status"}
NUMBERS = FLOOR | {"numeric", "schedule", "ball"}
MATHEMATICS = NUMBERS | {"surfaces", "geometry", "methods"}
SEES = {
    "errors": set(),
    "status": set(),
    "numeric": {"errors"},
    "schedule": {"errors"},
    "ball": {"errors", "schedule"},
    "surfaces": FLOOR | {"numeric"},
    "geometry": FLOOR | {"numeric", "surfaces"},
    "methods": NUMBERS | {"surfaces", "geometry"},
    "trajectory": FLOOR | {"trajectory_file", "plot", "pytorch"},  # inside functions
    "trajectory_file": FLOOR | {"trajectory"},
    "rollout": MATHEMATICS,
    "plan": MATHEMATICS | {"rollout", "states", "trajectory"},
    "states": FLOOR | {"numeric"},
    "fit": MATHEMATICS | {"plan"},
    "record": MATHEMATICS | {"plan", "rollout", "states", "trajectory", "__init__"},  # it records the version
    "continuous": FLOOR,
    "flow": MATHEMATICS,
    "flow_plan": MATHEMATICS | {"continuous"},
    "flow_launcher": MATHEMATICS | {"flow", "flow_plan"},
    "flow_run": MATHEMATICS | {"continuous", "fit", "flow_launcher", "flow_plan", "record", "trajectory"},
    "adjoint": MATHEMATICS | {"continuous", "flow_launcher", "flow_plan", "plan", "simulate", "states", "trajectory"},
    "body": MATHEMATICS,
    "body_plan": MATHEMATICS | {"continuous", "fit"},
    "body_stepping": MATHEMATICS | {"body"},
    "body_run": MATHEMATICS | {"continuous", "body", "body_plan", "body_stepping", "record", "trajectory"},
    "sensitivity_field": MATHEMATICS | {"adjoint", "simulate", "trajectory"},
    "compare": FLOOR | {"plot", "trajectory", "trajectory_file"},
    "studies": MATHEMATICS | {"compare", "plot", "scene", "sensitivity_field", "simulate", "trajectory_file"},
    "paper": MATHEMATICS | {"plot", "simulate", "studies", "trajectory", "trajectory_file"},
    "folder": FLOOR | {"numeric", "plot", "scene", "studies", "surfaces", "trajectory", "trajectory_file"},
    "simulate": MATHEMATICS
    | {"body_plan", "body_run", "fit", "flow_plan", "flow_run", "plan", "record", "rollout", "states", "trajectory"},
    "scene_tables": NUMBERS,
    "scene": MATHEMATICS | {"body_plan", "scene_tables", "flow_plan", "plan", "rollout", "simulate", "trajectory"},
    "plot": FLOOR | {"surfaces", "geometry", "trajectory", "trajectory_file", "compare", "sensitivity_field"},
    "pytorch": MATHEMATICS | {"adjoint", "plan", "record", "simulate", "states", "trajectory", "trajectory_file"},
    "doctor": FLOOR,
    "__main__": {"cli"},
}
# Only these may be seen importing a part that is for the end of a chain.
SEEN_BY = {
    "cli": {"__main__"},
    "paper": {"cli", "paper"},
    "plot": {
        "cli",
        "compare",
        "folder",
        "paper",
        "studies",
        "trajectory",
        "__init__",
        "plot",
    },  # notebooks show both with a picture
    "pytorch": {"cli", "__init__", "pytorch", "trajectory"},
}


def named(path):
    return str(path.relative_to(PACKAGE))


def part_of(path):
    """The part of the package a file belongs to: a folder, or a file at the top."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


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


def parts_seen(path, only_top=False):
    """The parts of the package that a file imports."""
    seen = set()
    for module, names, at_top in imported(ast.parse(path.read_text()), path):
        if module.split(".")[0] != "rollingball" or (only_top and not at_top):
            continue
        parts = [module.split(".")[1]] if "." in module else names or ["__init__"]
        known = {part_of(file) for file in FILES}
        seen |= {part if part in known else "__init__" for part in parts}
    return seen


# Arrows


def test_the_reader_of_imports_reads_them_all():
    text = """
import rollingball.cli
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
        "rollingball.cli", "rollingball", "rollingball.geometry", "rollingball.geometry.numeric", "scipy.linalg",
        "viser",
    }  # fmt: skip
    assert {module for module, _, at_top in found if not at_top} == {"torch", "sympy", "rollingball.plot"}


@pytest.mark.parametrize("path", FILES, ids=named)
def test_each_part_sees_only_those_below_it(path):
    part = part_of(path)
    beyond = parts_seen(path) - {part} - SEES[part] if part in SEES else set()
    assert beyond == set(), f"{named(path)} imports {sorted(beyond)}"


@pytest.mark.parametrize("path", FILES, ids=named)
def test_nothing_but_the_command_line_sees_the_ends_of_the_chain(path):
    for end in parts_seen(path) & set(SEEN_BY):
        assert part_of(path) in SEEN_BY[end], f"{named(path)} imports {end}"


@pytest.mark.parametrize("end", ["plot", "paper", "pytorch", "cli"])
def test_importing_the_package_imports_no_end_of_a_chain(end):
    assert end not in parts_seen(PACKAGE / "__init__.py", only_top=True)


def test_trajectory_sees_its_file_only_inside_functions():
    assert parts_seen(PACKAGE / "trajectory.py", only_top=True) <= FLOOR


def test_parts_import_each_other_in_no_circle():
    graph = {}
    for path in FILES:
        part = part_of(path)
        graph[part] = graph.get(part, set()) | (parts_seen(path, only_top=True) - {part, "__init__"})
    left = dict(graph)
    while ready := {part for part, seen in left.items() if not seen & set(left)}:
        left = {part: seen for part, seen in left.items() if part not in ready}
    assert left == {}


@pytest.mark.parametrize("path", FILES, ids=named)
def test_heavy_packages_are_imported_inside_functions(path):
    tops = {module.split(".")[0] for module, _, at_top in imported(ast.parse(path.read_text()), path) if at_top}
    allowed = {"torch"} if part_of(path) == "pytorch" else set()
    assert tops & HEAVY <= allowed


def test_every_package_that_is_imported_is_declared():
    declared = importlib.metadata.requires("rollingball") or []
    wanted = {re.match(r"[A-Za-z0-9._-]+", line)[0] for line in declared if "extra" not in line}
    optional = {re.match(r"[A-Za-z0-9._-]+", line)[0] for line in declared} - wanted
    late = {("viser", "plot")}  # the parts that may import what an extra brings
    for path in FILES:
        for module, _, _ in imported(ast.parse(path.read_text()), path):
            top = module.split(".")[0]
            if top in sys.stdlib_module_names or top == "rollingball":
                continue
            name = {"warp": "warp-lang", "PIL": "pillow"}.get(top, top)
            assert name in wanted or (name in optional and (name, part_of(path)) in late), f"{named(path)}: {name}"


def test_only_drawing_and_torch_parts_import_matplotlib_viser_and_torch():
    owners = {"matplotlib": {"plot", "paper"}, "viser": {"plot"}, "torch": {"pytorch"}, "sympy": {"surfaces"}}
    for path in FILES:
        for module, _, _ in imported(ast.parse(path.read_text()), path):
            package = module.split(".")[0]
            assert part_of(path) in owners.get(package, {part_of(path)}), f"{named(path)} imports {package}"


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
    assert FORBIDDEN & set(words(ast.parse(path.read_text()))) == set()


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
