"""The mesh of a surface: its vertices are on the graph, its colours follow the height, and its file is read back."""

import io
import json

import numpy as np
import pytest
from matplotlib.image import imread

import rollingball as rb
from rollingball.plot.page.gltf import glb
from rollingball.plot.page.landscape import FINE, contour_interval, landscape, normals, on_triangles, painted, triangles

BOWL, SINE = rb.surfaces.quadratic([[1.0, 0.0], [0.0, 2.0]]), rb.surfaces.sine()
BOX = [(-2.0, 2.0), (-1.0, 1.5)]


def used(scenery):
    """The vertices that triangles use."""
    return scenery.points.reshape(-1, 3)[np.unique(scenery.faces)]


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_vertices_are_on_the_graph_of_the_scaled_loss(scale):
    surface = BOWL.scaled(scale)
    points = used(landscape(surface, BOX, 100.0))
    np.testing.assert_allclose(points[:, 2], scale * surface.value(points[:, :2]), rtol=1e-14)
    assert points.min(axis=0)[:2].tolist() == [-2, -1]
    assert points.max(axis=0)[:2].tolist() == [2, 1.5]


def test_a_section_is_a_ribbon():
    points = used(landscape(SINE, [(-3.0, 3.0)], 100.0, width=(-0.5, 0.7)))
    np.testing.assert_allclose(points[:, 2], np.sin(points[:, 0]), atol=1e-15)
    assert set(points[:, 1]) == {-0.5, 0.7}


@pytest.mark.parametrize("radius", [0.5, 2.0])
def test_the_ironed_one_is_f_rho_from_below_to_second_order(radius):
    points = used(landscape(SINE, [(-3.0, 3.0)], 100.0, radius))
    exact = rb.contacts(SINE, points[:, :1], radius).height
    assert (points[:, 2] <= exact + 1e-12).all()
    assert (exact - points[:, 2]).max() < 2 * (6 / 480) ** 2 / radius


def test_normals_are_those_of_the_graph():
    x, y = np.linspace(-1, 1, 201), np.linspace(0, 1, 101)
    up = normals([x, y], np.sin(x)[:, None] + y**2)[1:-1, 1:-1]
    exact = np.stack(np.broadcast_arrays(-np.cos(x)[1:-1, None], -2 * y[1:-1], 1.0), axis=-1)
    np.testing.assert_allclose(up, exact / np.linalg.norm(exact, axis=-1, keepdims=True), atol=1e-4)


def test_triangles_cover_the_box_once_and_face_up():
    scenery = landscape(BOWL, BOX, 100.0)
    a, b, c = (scenery.points.reshape(-1, 3)[scenery.faces[:, i]] for i in range(3))
    twice = np.cross(b - a, c - a)[:, 2]
    assert (twice > 0).all()
    assert twice.sum() / 2 == pytest.approx(4 * 2.5, rel=1e-12)


def test_what_is_above_the_ceiling_or_nowhere_is_left_out():
    heights = np.array([[0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, np.nan]])
    assert len(triangles(heights, 1.5)) == 2 + 2  # a cell on both sides of the ceiling stays, transparent above
    assert len(triangles(heights, 9.0)) == 2 + 2  # but none with a corner that is nowhere
    half = landscape(rb.formula("sqrt(x) + y", "x y"), [(-1.0, 1.0), (0.0, 1.0)], 100.0)
    assert used(half)[:, 0].min() >= 0
    low = landscape(BOWL, BOX, 0.5)
    assert used(low)[:, 2].max() < 0.6
    alpha = low.picture[..., 3]
    assert alpha[0, 0] == 0  # a corner
    assert alpha[alpha.shape[0] // 2, int(0.4 * alpha.shape[1])] == 255  # the bottom
    share = (alpha > 127).mean()
    assert share == pytest.approx(np.pi * 1.0 * np.sqrt(0.5) / 10, rel=0.01)  # an ellipse with half axes 1, sqrt(1/2)


def test_a_box_without_surface_is_refused():
    with pytest.raises(rb.InputError, match="box"):
        landscape(rb.formula("sqrt(x) + y", "x y"), [(-2.0, -1.0), (0.0, 1.0)], 100.0)
    with pytest.raises(rb.InputError, match="radius"):
        landscape(SINE, [(-3.0, 3.0)], 100.0, radius=1e-3)


# Its colours


def test_between_vertices_a_picture_is_linear_on_the_triangles():
    corners = np.array([[0.0, 0.0], [0.0, 1.0]])  # folded along its diagonal
    fine = on_triangles(corners)
    share = np.arange(FINE + 1) / FINE
    np.testing.assert_array_equal(fine, np.minimum(share[:, None], share[None]))
    values = np.random.default_rng(0).normal(size=(4, 5))
    np.testing.assert_allclose(on_triangles(values)[::FINE, ::FINE], values, atol=1e-15)


def test_contour_lines_are_where_the_height_is_a_multiple_and_as_wide_on_every_slope():
    for slope in (0.5, 3.0):
        x = np.linspace(0.05, 1.0, 200)
        heights = np.repeat(slope * x[:, None], 30, axis=1)
        interval = slope / 10
        picture = painted(heights, 0.0, 100.0, interval, [x[1] - x[0]] * 2)[:, 50, :3].astype(float).sum(axis=1)
        smooth = np.interp(np.arange(len(picture)), [0, len(picture) - 1], picture[[5, -20]])
        inked = picture < 0.93 * smooth
        fine = np.linspace(0.05, 1.0, len(picture))[inked]
        assert {round(value * 10) for value in fine} == set(range(1, 11))
        assert np.abs(fine * 10 - np.round(fine * 10)).max() < 0.05
        assert 10 <= inked.sum() <= 40


def test_lightness_grows_with_height():
    heights = np.repeat(np.linspace(0, 1, 40)[:, None], 9, axis=1)
    light = painted(heights, 0.0, 100.0, 1e9, [1, 1])[..., :3].sum(axis=-1).astype(int)
    assert (np.diff(light, axis=0) >= 0).all()
    assert light[-1, 0] > 1.4 * light[0, 0]


@pytest.mark.parametrize("relief", [1e-7, 0.3, 1.0, 19.9, 4711.0])
def test_a_relief_has_8_to_20_contour_lines(relief):
    assert 8 <= relief / contour_interval(relief) <= 20 + 1e-9
    assert contour_interval(0.0) == 1.0


# Its file


def parts_of(content):
    """The head of a binary glTF file, its arrays by their number, and its buffer; sizes and bounds are checked."""
    assert content[:4] == b"glTF"
    version, size, head_size, kind = np.frombuffer(content, "<u4", 4, 4)
    assert (version, size, kind) == (2, len(content), int.from_bytes(b"JSON", "little"))
    head = json.loads(content[20 : 20 + head_size])
    body = content[20 + head_size + 8 :]
    assert len(body) == head["buffers"][0]["byteLength"]

    def array(number):
        about = head["accessors"][number]
        view = head["bufferViews"][about["bufferView"]]
        width = {"VEC4": 4, "VEC3": 3, "VEC2": 2, "SCALAR": 1}[about["type"]]
        kind = {5126: "<f4", 5125: "<u4"}[about["componentType"]]
        values = np.frombuffer(body, kind, about["count"] * width, view["byteOffset"]).reshape(-1, width)
        if "min" in about:
            assert (values.min(axis=0).tolist(), values.max(axis=0).tolist()) == (about["min"], about["max"])
        return values

    return head, [array(number) for number in range(len(head["accessors"]))], body


def test_the_file_is_binary_gltf_that_holds_the_mesh():
    scenery = landscape(BOWL, BOX, 1.0)
    head, arrays, body = parts_of(glb(scenery, lambda points: 2 * points - 1))
    part = head["meshes"][0]["primitives"][0]
    faces = arrays[part["indices"]].reshape(-1, 3)
    np.testing.assert_array_equal(faces, scenery.faces)
    points = arrays[part["attributes"]["POSITION"]]
    np.testing.assert_allclose(points, 2 * scenery.points.reshape(-1, 3) - 1, rtol=1e-6)
    across = arrays[part["attributes"]["TEXCOORD_0"]]
    image = head["bufferViews"][head["images"][0]["bufferView"]]
    picture = imread(io.BytesIO(body[image["byteOffset"] :][: image["byteLength"]]), format="png")
    assert picture.shape == scenery.picture.shape
    # a vertex takes the pixel of its own height: those below the ceiling are opaque
    height, width = picture.shape[:2]
    rows, columns = (across[:, 1] * height).astype(int), (across[:, 0] * width).astype(int)
    opaque, z = picture[rows, columns, 3] > 0.5, scenery.points[..., 2].ravel()
    np.testing.assert_array_equal(opaque[np.abs(z - 1) > 1e-6], z[np.abs(z - 1) > 1e-6] < 1)
