"""No Warp function changes, inside a loop, a local that holds a constant before it: Warp cannot compile that."""

import ast
from pathlib import Path

import pytest

import rollingball as rb

PACKAGE = Path(rb.__file__).parent
UNROLLED = 4  # the option max_unroll of the kernels: a loop of more turns is a loop in the compiled code


def warp_functions(tree):
    """The functions that Warp compiles: under ``wp.func``, ``warp_function``, ``wp.kernel`` or ``wp.func_grad``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and any(
            "wp." in (text := ast.unparse(mark)) or text == "warp_function" for mark in node.decorator_list
        ):
            yield node


def stored(nodes):
    """The names that statements assign."""
    return {
        name.id for node in nodes for name in ast.walk(node)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    }  # fmt: skip


def unrolled(loop):
    """Whether a loop is one over a range of a few literal numbers, which Warp writes out turn by turn."""
    if not isinstance(loop, ast.For) or any(isinstance(node, ast.Break) for node in ast.walk(loop)):
        return False
    try:
        turns = len(range(*(ast.literal_eval(argument) for argument in loop.iter.args)))
    except (AttributeError, ValueError, TypeError):
        return False
    return turns <= UNROLLED


class Constants:
    """The locals of one Warp function that may hold a constant, from statement to statement."""

    def __init__(self, function):
        arguments = function.args
        self.local = stored(function.body) | {argument.arg for argument in (*arguments.posonlyargs, *arguments.args)}
        self.mutated = []
        self.after(function.body, set())

    def constant(self, value, in_tuple):
        """Whether Warp keeps the value of an expression as a constant, as a literal or a captured number."""
        if isinstance(value, ast.Constant) or ast.unparse(value).startswith("wp.static("):
            return True
        if isinstance(value, ast.Attribute) or (isinstance(value, ast.Name) and in_tuple):  # a single name is copied
            return not {node.id for node in ast.walk(value) if isinstance(node, ast.Name)} & self.local
        return False

    def after(self, body, before):
        """The names that hold a constant after ``body``, from those that do before it."""
        held = set(before)
        for node in body:
            if isinstance(node, ast.Assign):
                target, value = node.targets[0], node.value
                pairs = [(target, value)]
                if isinstance(target, ast.Tuple):
                    values = value.elts if isinstance(value, ast.Tuple) else [value] * len(target.elts)
                    pairs = list(zip(target.elts, values, strict=True))
                for name, assigned in pairs:
                    if isinstance(name, ast.Name):
                        held.discard(name.id)
                        if self.constant(assigned, isinstance(value, ast.Tuple)):
                            held.add(name.id)
            elif isinstance(node, (ast.AugAssign, ast.AnnAssign)) and isinstance(node.target, ast.Name):
                held.discard(node.target.id)
            elif isinstance(node, ast.If):
                branches = [self.after(branch, held) for branch in (node.body, node.orelse)]
                if {name.id for name in ast.walk(node.test) if isinstance(name, ast.Name)} & self.local:
                    held -= stored([node])  # what either branch assigns is chosen at run time
                else:
                    held = branches[0] | branches[1]
            elif isinstance(node, (ast.For, ast.While)):
                if not unrolled(node):
                    self.mutated += [(node.lineno, name) for name in sorted(held & stored(node.body))]
                held = self.after(node.body, held)
        return held


def mutated_constants(text):
    """(line of the loop, name) of every constant that a loop of a Warp function changes."""
    return [place for function in warp_functions(ast.parse(text)) for place in Constants(function).mutated]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_loop_changes_a_constant(path):
    assert mutated_constants(path.read_text()) == []


@pytest.mark.parametrize(
    ("before", "assignment"),
    [("x = True", "x = False"), ("x = 1", "x += 1"), ("x, y = 1.0, n", "x = x * 0.5"), ("x, y = ZERO, n", "x += n"),
     ("x = wp.static(2)", "x = 3"), ("x = wp.pi", "x *= n")],
)  # fmt: skip
def test_the_reader_finds_constants_that_a_loop_changes(before, assignment):
    for loop in ("while n < 3:", "for i in range(n):", "for i in range(17):"):
        text = f"@wp.func\ndef f(n: int):\n    {before}\n    {loop}\n        n += 1\n        {assignment}\n    return x"
        assert mutated_constants(text) == [(4, "x")]
        inner = text.replace("    ", "        ").replace("def f(n: int):", "def f(n: int):\n    while n < 9:")
        assert (6 - 1, "x") in mutated_constants(inner)


@pytest.mark.parametrize(
    "text",
    ["x = 1\n    for i in range(3):\n        x += i", "x = bool(True)\n    while n < 3:\n        x = False",
     "x = ZERO\n    while n < 3:\n        x += n",
     "x = 1\n    if n > 3:\n        x = 2\n    while n < 3:\n        x = 4",
     "x = n\n    for i in range(n):\n        x = 3"],
)  # fmt: skip
def test_the_reader_leaves_out_what_warp_compiles(text):
    assert mutated_constants(f"@wp.func\ndef f(n: int):\n    {text}\n    return x") == []
