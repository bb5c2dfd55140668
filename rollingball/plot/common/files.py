"""Figures as files: PNG at 200 dpi, or vectors, written beside their place and renamed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from rollingball.core.errors import InputError
from rollingball.core.files import write_beside
from rollingball.plot.common.style import STYLE

FORMATS = (".png", ".svg", ".pdf")


def png(figure: Any, dpi: float | None = None) -> bytes:
    """A figure as the bytes of a PNG, in the project's style, with nothing cut off."""
    return _bytes(figure, "png", dpi=STYLE["savefig.dpi"] if dpi is None else dpi)


def svg(figure: Any) -> bytes:
    """A figure as the bytes of an SVG; the same figure gives the same bytes."""
    return _bytes(figure, "svg", metadata={"Date": None})


def pdf(figure: Any) -> bytes:
    """A figure as the bytes of a PDF; the same figure gives the same bytes."""
    return _bytes(figure, "pdf", metadata={"CreationDate": None})


def save(figure: Any, path: str | Path) -> None:
    """Write a figure beside its place first, then rename it, so that no file is ever half written.

    Args:
        figure: A matplotlib Figure, or axes of it.
        path: The file; its suffix says the format: .png, .svg or .pdf.

    Raises:
        InputError: for another suffix.
        FileError: when the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise InputError("path", str(path), f"a file that ends with {', '.join(FORMATS)}")
    made = {".png": png, ".svg": svg, ".pdf": pdf}[path.suffix.lower()](figure)
    write_beside(path, made)


def _bytes(figure: Any, kind: str, **options: Any) -> bytes:
    import matplotlib

    picture = io.BytesIO()
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": "rollingball"}):
        figure.figure.savefig(picture, format=kind, bbox_inches="tight", pad_inches=0.1, **options)
    return picture.getvalue()
