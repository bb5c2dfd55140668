"""C++ code of the value, gradient and Hessian of an expression tree, by forward differentiation node by node.

Each distinct node and each of its derivatives that are not zero become a local variable of the C++ function, so that
the code grows linearly with the tree: in d variables a node has d first and d (d + 1) / 2 second derivatives at most.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rollingball.surfaces.formula_parser import FUNCTIONS, Node

Pair = tuple[int, int]


@dataclass
class Jet:
    """The C++ expressions of a node's value and of its derivatives that are not zero (the second ones with i <= j)."""

    value: str
    first: dict[int, str] = field(default_factory=dict)
    second: dict[Pair, str] = field(default_factory=dict)


def function_bodies(tree: Node, dim: int) -> tuple[str, str, str]:
    """The C++ bodies of the functions of x and q that return the value, the gradient and the Hessian."""
    value = _Writer(0)
    value_code = value.code(f"return {value.jet(tree).value};")
    gradient = _Writer(1)
    gradient_jet = gradient.jet(tree)
    entries = [f"result[{i}] = {gradient_jet.first.get(i, 'T(0)')};" for i in range(dim)]
    gradient_code = gradient.code(f"wp::vec_t<{dim}, T> result;", *entries, "return result;")
    hessian = _Writer(2)
    hessian_jet = hessian.jet(tree)
    entries = [
        f"result.data[{i}][{j}] = {hessian_jet.second.get((min(i, j), max(i, j)), 'T(0)')};"
        for i in range(dim)
        for j in range(dim)
    ]
    hessian_code = hessian.code(f"wp::mat_t<{dim}, {dim}, T> result;", *entries, "return result;")
    return value_code, gradient_code, hessian_code


class _Writer:
    """The C++ lines that compute nodes, each once, with their derivatives up to an order."""

    def __init__(self, order: int) -> None:
        self.order = order
        self.lines: list[str] = []
        self.jets: dict[Node, Jet] = {}

    def code(self, *rest: str) -> str:
        """All lines so far, and ``rest`` after them."""
        return " ".join([*self.lines, *rest])

    def keep(self, expression: str) -> str:
        """The name of a new local variable with the value of ``expression``."""
        name = f"t{len(self.lines)}"
        self.lines.append(f"const T {name} = {expression};")
        return name

    def jet(self, node: Node) -> Jet:
        """Value and derivatives of a node, whose lines are written when it is first met."""
        if node not in self.jets:
            self.jets[node] = self.new_jet(node)
        return self.jets[node]

    def new_jet(self, node: Node) -> Jet:
        if node.kind == "number":
            return Jet(f"T({node.number!r})")
        if node.kind == "constant":
            return Jet(self.keep(f"q.data[{node.index}]"))
        if node.kind == "variable":
            return Jet(self.keep(f"x[{node.index}]"), {node.index: "T(1)"} if self.order else {})
        operands = [self.jet(argument) for argument in node.arguments]
        if node.kind in FUNCTIONS:
            return self.chain(operands[0], *self.function(node.kind, operands[0].value))
        if node.kind == "-" and len(operands) == 1:
            return self.chain(operands[0], self.keep(f"-{operands[0].value}"), "T(-1)", "T(0)")
        if node.kind in "+-":
            return self.sum(operands[0], operands[1], node.kind)
        if node.kind == "*":
            return self.product(operands[0], operands[1])
        if node.kind == "/":
            return self.product(
                operands[0], self.power_of_constant(operands[1], "T(-1)"), f"{operands[0].value} / {operands[1].value}"
            )
        exponent = node.arguments[1]
        if not operands[1].first or exponent.kind == "number":
            return self.power_of_constant(
                operands[0], operands[1].value, exponent.number if exponent.kind == "number" else None
            )
        # a**b = exp(b log a), its value by pow, which also knows integer exponents of negative numbers
        exponent_times_log = self.product(
            operands[1], self.chain(operands[0], *self.function("log", operands[0].value))
        )
        value = self.keep(f"wp::pow({operands[0].value}, {operands[1].value})")
        return self.chain(exponent_times_log, value, value, value)

    def function(self, name: str, u: str) -> tuple[str, str, str]:
        """The names of f(u), f'(u) and f''(u), as far as the order asks for them."""
        value = self.keep(f"wp::{name}({u})")
        if not self.order:
            return value, "", ""
        rules = {
            "sin": (f"wp::cos({u})", f"-{value}"),
            "cos": (f"-wp::sin({u})", f"-{value}"),
            "tan": (f"T(1) + {value} * {value}", f"T(2) * {value} * (T(1) + {value} * {value})"),
            "exp": (value, value),
            # outside of the domain all is NaN
            "log": (f"({u} < T(0) ? {value} : T(1) / {u})", f"({u} < T(0) ? {value} : T(-1) / ({u} * {u}))"),
            "sqrt": (f"T(0.5) / {value}", f"T(-0.25) / ({value} * {u})"),
            # 1 - tanh^2 would cancel
            "tanh": (f"T(1) / wp::cosh({u}) / wp::cosh({u})", f"T(-2) * {value} / wp::cosh({u}) / wp::cosh({u})"),
            "atan": (f"T(1) / (T(1) + {u} * {u})", f"T(-2) * {u} / ((T(1) + {u} * {u}) * (T(1) + {u} * {u}))"),
            "abs": (f"T(({u} > T(0)) - ({u} < T(0)))", "T(0)"),  # away from the kink
        }[name]
        return value, self.keep(rules[0]), self.keep(rules[1]) if self.order > 1 else ""

    def power_of_constant(self, a: Jet, exponent: str, number: float | None = None) -> Jet:
        """a**c for an exponent c that no variable enters; products where c is 2 or 3."""
        u = a.value
        if number in (2.0, 3.0):
            square = f"{u} * {u}"
            value = self.keep(square if number == 2.0 else f"{square} * {u}")
            first, second = (f"T(2) * {u}", "T(2)") if number == 2.0 else (f"T(3) * {square}", f"T(6) * {u}")
        elif number == 0.5:
            return self.chain(a, *self.function("sqrt", u))
        else:
            c = exponent
            value = self.keep(f"T(1) / {u}" if c == "T(-1)" else f"wp::pow({u}, {c})")
            # a factor of zero is tested for, since zero times an infinite power would be NaN
            first = f"({c} == T(0) ? T(0) : {c} * wp::pow({u}, {c} - T(1)))"
            second = f"({c} * ({c} - T(1)) == T(0) ? T(0) : {c} * ({c} - T(1)) * wp::pow({u}, {c} - T(2)))"
        if not self.order:
            return Jet(value)
        return self.chain(a, value, self.keep(first), self.keep(second) if self.order > 1 else "")

    def chain(self, u: Jet, value: str, first: str, second: str) -> Jet:
        """f(u) by the chain rule: the derivatives f' u_i and f'' u_i u_j + f' u_ij."""
        jet = Jet(value)
        for i, u_i in u.first.items():
            jet.first[i] = self.keep(f"{first} * {u_i}")
        if self.order > 1:
            for i, j in _pairs(u.first):
                second_term = f" + {first} * {u.second[i, j]}" if (i, j) in u.second else ""
                jet.second[i, j] = self.keep(f"{second} * {u.first[i]} * {u.first[j]}{second_term}")
        return jet

    def sum(self, a: Jet, b: Jet, sign: str) -> Jet:
        """The sum or difference of two nodes."""

        def join(left: str | None, right: str | None) -> str:
            if right is None:
                return left or "T(0)"
            return self.keep(f"{left} {sign} {right}" if left else f"{sign} {right}")

        jet = Jet(self.keep(f"{a.value} {sign} {b.value}"))
        jet.first = {i: join(a.first.get(i), b.first.get(i)) for i in sorted({*a.first, *b.first})}
        jet.second = {ij: join(a.second.get(ij), b.second.get(ij)) for ij in sorted({*a.second, *b.second})}
        return jet

    def product(self, a: Jet, b: Jet, value: str = "") -> Jet:
        """The product a b by the product rule; ``value`` is another C++ expression of its value."""
        jet = Jet(self.keep(value or f"{a.value} * {b.value}"))
        for i in sorted({*a.first, *b.first}):
            terms = [f"{a.first[i]} * {b.value}"] if i in a.first else []
            terms += [f"{a.value} * {b.first[i]}"] if i in b.first else []
            jet.first[i] = self.keep(" + ".join(terms))
        if self.order > 1:
            for i, j in _pairs(jet.first):
                terms = [f"{a.second[i, j]} * {b.value}"] if (i, j) in a.second else []
                terms += [f"{a.first[i]} * {b.first[j]}"] if i in a.first and j in b.first else []
                terms += [f"{a.first[j]} * {b.first[i]}"] if j in a.first and i in b.first else []
                terms += [f"{a.value} * {b.second[i, j]}"] if (i, j) in b.second else []
                if terms:
                    jet.second[i, j] = self.keep(" + ".join(terms))
        return jet


def _pairs(first: dict[int, str]) -> list[Pair]:
    """The pairs i <= j of variables with a first derivative."""
    return [(i, j) for i in sorted(first) for j in sorted(first) if i <= j]
