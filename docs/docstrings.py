"""What the docstrings, which are written to be read as they stand, need to become reStructuredText."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

LITERAL = re.compile(r"``.*?``|`.*?`")
SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Yields):$")


def marked_up(lines: list[str]) -> list[str]:
    """Bars |x| as text, not substitutions; stars as text; equations, which are indented, as literal blocks."""
    made: list[str] = []
    before_sections, in_equation, in_markup = True, False, False
    for number, line in enumerate(lines):
        before_sections &= not SECTION.match(line)
        indented = line.startswith("    ")
        if line.strip() and not indented:
            in_equation, in_markup = False, line.startswith("..") or "=====" in line
        if indented and before_sections and not in_equation and not in_markup and number and not lines[number - 1]:
            ahead = next((text for text in reversed(made) if text), "")
            in_equation = True
            if not ahead.endswith("::"):
                made += ["::", ""]
        made.append(line if in_equation or in_markup or line.startswith(("..", " *")) else _escaped(line))
    return made


def _escaped(line: str) -> str:
    """The line with bars and stars escaped, but for those between backquotes."""
    parts, end = [], 0
    for found in LITERAL.finditer(line):
        parts += [re.sub(r"[|*]", r"\\\g<0>", line[end : found.start()]), found[0]]
        end = found.end()
    return "".join([*parts, re.sub(r"[|*]", r"\\\g<0>", line[end:])])


def _process(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    if name.startswith("rollingball"):
        lines[:] = marked_up(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Before napoleon reads them."""
    app.connect("autodoc-process-docstring", _process, priority=400)
    return {"parallel_read_safe": True}
