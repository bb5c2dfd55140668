"""A page of headings, paragraphs, lists, tables and pictures, written as Markdown and as HTML from one content."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

STYLE = """
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif; color: #222222; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
img { max-width: 100%; height: auto; }
div { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; margin: 0.8rem 0; }
th, td { border-bottom: 1px solid #cccccc; padding: 0.25rem 0.6rem; text-align: left; vertical-align: top; }
th { border-bottom: 1px solid #222222; }
"""


@dataclass(frozen=True)
class Heading:
    """A heading of level 1 or 2."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list of plain texts."""

    texts: list[str]


@dataclass(frozen=True)
class Table:
    """A table of plain texts; every row is as long as the header."""

    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Picture:
    """A picture in a file beside the page, with a text that says what it shows."""

    file: str
    text: str


Block = Heading | Paragraph | Items | Table | Picture


def markdown(blocks: list[Block]) -> str:
    """The blocks as Markdown; what would be markup in a text is escaped."""
    return "\n\n".join(_as_markdown(block) for block in blocks) + "\n"


def _as_markdown(block: Block) -> str:
    match block:
        case Heading(text, level):
            return "#" * level + " " + _escaped(text)
        case Paragraph(text):
            return _escaped(text)
        case Items(texts):
            return "\n".join(f"* {_escaped(text)}" for text in texts)
        case Picture(file, text):
            return f"![{_escaped(text)}]({file})"
        case Table(header, rows):
            lines = [
                [_escaped(cell) for cell in header],
                ["---"] * len(header),
                *([_escaped(cell) for cell in row] for row in rows),
            ]
            return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", text)


def to_html(blocks: list[Block], title: str) -> str:
    """The blocks as one HTML file that needs only its pictures."""
    body = "\n".join(_as_html(block) for block in blocks)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _as_html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{html.escape(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{html.escape(text)}</p>"
        case Items(texts):
            return "<ul>\n" + "\n".join(f"<li>{html.escape(text)}</li>" for text in texts) + "\n</ul>"
        case Picture(file, text):
            return f'<p><img src="{html.escape(file)}" alt="{html.escape(text)}"></p>'
        case Table(header, rows):
            lines = [_row("th", header), *(_row("td", row) for row in rows)]
            return "<div><table>\n" + "\n".join(lines) + "\n</table></div>"


def _row(tag: str, cells: list[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"
