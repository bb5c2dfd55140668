"""Pictures in a row as a file: GIF by Pillow, MP4 by ffmpeg."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from rollingball.errors import FileError, InputError
from rollingball.trajectory_file import write_beside

FILMS = (".gif", ".mp4")
COLORS = 64
DPI = 100
REST = 1000  # milliseconds that the last picture of a GIF stays


def check_film(path: Path) -> None:
    """Refuse a file that cannot become a film, before anything is drawn.

    Raises:
        InputError: for a suffix that is neither .gif nor .mp4, and for .mp4 without ffmpeg.
    """
    kind = path.suffix.lower()
    if kind not in FILMS:
        raise InputError("path", str(path), "a file that ends with .gif or .mp4")
    if kind == ".mp4" and shutil.which("ffmpeg") is None:
        raise InputError("path", str(path), "a .gif: an .mp4 needs ffmpeg, which is not installed (apt install ffmpeg)")


def write_film(figure: Any, shown: Iterable[None], path: Path, fps: int) -> None:
    """Write what a figure shows after each of ``shown`` was taken, beside its place and renamed.

    Raises:
        FileError: when the file cannot be written.
    """
    check_film(path)
    write_beside(path, (_gif if path.suffix.lower() == ".gif" else _mp4)(figure, shown, fps))


def _gif(figure: Any, shown: Iterable[None], fps: int) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(DPI)
    pictures = []
    for _moment in shown:
        canvas.draw()
        pictures.append(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"))
    few = [pictures[k] for k in (0, len(pictures) // 2, -1)]  # one palette for all, so that what is still stays so
    joined = Image.fromarray(np.concatenate([np.asarray(picture) for picture in few]))
    palette = joined.quantize(COLORS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    coded = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    film = io.BytesIO()
    times = [round(100 * (k + 1) / fps) * 10 - round(100 * k / fps) * 10 for k in range(len(coded))]
    times[-1] = max(times[-1], REST)
    coded[0].save(
        film, format="GIF", save_all=True, append_images=coded[1:], duration=times, loop=0, optimize=True, disposal=1
    )
    return film.getvalue()


def _mp4(figure: Any, shown: Iterable[None], fps: int) -> bytes:
    from matplotlib.animation import FFMpegWriter
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    writer = FFMpegWriter(fps=fps, codec="libx264", extra_args=["-pix_fmt", "yuv420p", "-vf", "scale=trunc(iw/2)*2:-2"])
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "film.mp4"
        try:
            with writer.saving(figure, str(made), DPI):
                for _moment in shown:
                    writer.grab_frame()
            return made.read_bytes()
        except (OSError, RuntimeError) as error:
            raise FileError(f"ffmpeg: {error}") from None
