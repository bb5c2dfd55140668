"""Fields over the plane, surfaces in space, and figures as files."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import rollingball as rb
from rollingball.plot import center_path3d, field, pdf, png, save, sheet, surface3d, svg
from tests.plot.runs import BOX, LINE, PLANE, make, new_axes

SQUARE = [(-1.0, 1.0), (0.0, 4.0)]


def test_a_field_has_each_number_at_its_place():
    values = np.arange(15.0).reshape(3, 5)
    ax = field(values, SQUARE, new_axes(), label="loss at the end")
    (image,) = ax.images
    left, right, bottom, top = image.get_extent()
    np.testing.assert_array_equal(image.get_array(), values.T)  # rows go up, columns to the right
    assert image.origin == "lower"
    np.testing.assert_allclose([left, right, bottom, top], [-1.5, 1.5, -0.5, 4.5])  # cells around -1, 0, 1 and 0 to 4
    assert ax.get_aspect() == 1
    assert ax.figure.axes[1].get_ylabel() == "loss at the end"
    assert ("theta_1" in ax.get_xlabel(), "theta_2" in ax.get_ylabel()) == (True, True)


def test_a_symmetric_field_is_white_at_zero():
    (image,) = field([[-1.0, 3.0], [0.0, 1.0]], SQUARE, new_axes(), label="x", symmetric=True).images
    assert image.get_clim() == (-3, 3)
    assert min(image.cmap(image.norm(0.0))[:3]) > 0.9
    assert to_hex(image.cmap(0)) != to_hex(image.cmap(255))


def test_cells_without_a_number_are_hatched():
    ax = field([[np.nan, 1.0], [np.inf, 2.0]], SQUARE, new_axes(), label="x")
    assert ax.images[0].get_array().mask.tolist() == [[True, True], [False, False]]
    assert [patch.get_hatch() for patch in ax.patches] == ["////"]
    assert ax.get_legend().get_texts()[0].get_text() == "not defined"
    assert field([[1.0]], SQUARE, new_axes(), label="x").get_legend() is None
    nothing = field(np.full((2, 2), np.nan), SQUARE, new_axes(), label="x")
    png(nothing, dpi=50)


@pytest.mark.parametrize(
    ("values", "box", "named"),
    [([1.0], SQUARE, "values"), ([[]], SQUARE, "values"), ([["a"]], SQUARE, "values"), ([[1.0], [1.0, 2.0]], SQUARE,
     "values"), ([[1.0]], SQUARE[:1], "box"), ([[1.0]], [(1, 0), (0, 1)], "box"), ([[1.0]], None, "box")],
)  # fmt: skip
def test_what_is_no_field_is_refused(values, box, named):
    with pytest.raises(rb.InputError, match=rf"^{named}: got "):
        field(values, box, label="x")


# In space


def spheres(ax):
    """The centres and radii of the balls on axes in space, from the corners of their faces."""
    found = []
    for artist in ax.collections[1:]:
        corners = artist._faces.reshape(-1, 3)
        low, high = corners.min(axis=0), corners.max(axis=0)
        found.append(((low + high) / 2, (high - low) / 2))
    return found


def test_balls_in_space_are_round_and_to_scale():
    run = make(2, balls=2, radius=[0.3, 0.5])
    ax = center_path3d(run, surface3d(PLANE, BOX[2]), frames=[0, -1])
    order = [(ball, frame) for ball in range(2) for frame in (0, -1)]
    for (ball, frame), (middle, half) in zip(order, spheres(ax), strict=True):
        np.testing.assert_allclose(middle, run.center[frame, ball], atol=1e-9)
        np.testing.assert_allclose(half, run.radius[0, ball], rtol=1e-9)
    for ball in range(2):
        np.testing.assert_array_equal(np.stack(ax.lines[ball].get_data_3d(), axis=-1), run.center[:, ball])


def test_one_scale_on_all_axes():
    ax = center_path3d(make(2), surface3d(PLANE, BOX[2]))
    ax.figure.canvas.draw()
    sides = np.array([np.ptp(limits) for limits in (ax.get_xlim3d(), ax.get_ylim3d(), ax.get_zlim3d())])
    np.testing.assert_allclose(sides / ax._box_aspect, (sides / ax._box_aspect)[0], rtol=1e-9)
    assert ax.get_zlim()[1] >= (make(2).center[-1, :, 2] + 0.5).max() - 1e-9  # the balls are inside
    np.testing.assert_allclose(ax.get_xlim(), BOX[2][0])


def test_surfaces_in_space_refuse_what_they_cannot_show():
    for refused in (
        lambda: surface3d(LINE, BOX[1]),
        lambda: surface3d(PLANE, BOX[1]),
        lambda: surface3d(PLANE, BOX[2], new_axes()),
        lambda: center_path3d(make(1)),
        lambda: center_path3d(make(2), new_axes()),
    ):
        with pytest.raises(rb.InputError):
            refused()
    half = surface3d(rb.formula("sqrt(x) + y", "x y"), [(-1.0, 1.0), (0.0, 1.0)])
    png(half, dpi=50)


# Files


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_figure_is_written_in_the_format_of_its_suffix(kind, tmp_path):
    ax = field([[1.0, 2.0], [3.0, 4.0]], SQUARE, new_axes(), label="x")
    path = tmp_path / f"a.{kind.upper()}"
    save(ax, path)
    begins = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF"}[kind]
    assert path.read_bytes().startswith(begins)
    assert path.read_bytes() == {"png": png, "svg": svg, "pdf": pdf}[kind](ax.figure)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_same_run_gives_the_same_file():
    assert svg(sheet({"a": make(2)}, PLANE, BOX[2])) == svg(sheet({"a": make(2)}, PLANE, BOX[2]))


def test_what_is_no_figure_is_refused(tmp_path):
    for call in (png, svg, pdf, lambda figure: save(figure, tmp_path / "a.png")):
        for wrong in (3, None, "figure"):
            with pytest.raises(rb.InputError, match=r"^figure: got "):
                call(wrong)
    assert not list(tmp_path.iterdir())


def test_other_formats_and_places_are_refused(tmp_path):
    with pytest.raises(rb.InputError, match=r"\.png, \.svg, \.pdf"):
        save(Figure(), tmp_path / "a.jpg")
    with pytest.raises(rb.FileError, match="nowhere"):
        save(Figure(), tmp_path / "nowhere" / "a.png")
