"""Films: how many pictures, for how long, and that balls move and turn in them."""

import json
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

import rollingball as rb
from rollingball.plot import animate
from rollingball.plot.common.inputs import named_runs
from rollingball.plot.common.orientation import exponential, level_angle, matrices, orientations
from rollingball.plot.common.style import PALETTE
from rollingball.plot.film import encoding
from rollingball.plot.film.animation import cast_of, moments, reached
from rollingball.plot.film.scenery import SCENERY
from tests.plot.runs import BOX, LINE, PLANE, SURFACE, make


def pictures(path):
    """The pictures of a film (K, height, width, 3), and how long each stays, in seconds."""
    with Image.open(path) as file:
        shown, stays = [], []
        for k in range(file.n_frames):
            file.seek(k)
            shown.append(np.asarray(file.convert("RGB")))
            stays.append(file.info["duration"] / 1000)
    return np.stack(shown).astype(int), stays


def near(picture, color, reach=40):
    """The middle of the pixels near a colour, and how many there are."""
    wanted = (np.abs(picture - 255 * np.array(to_rgb(color))).max(axis=-1) < reach).nonzero()
    return np.array([wanted[1].mean(), wanted[0].mean()]), len(wanted[0])


def test_on_a_section_a_goal_is_a_dashed_line_and_only_the_balls_that_end_there_are_blue():
    run = rb.simulate(LINE, rb.Ball(0.4), rb.FootpointRBO(lr=0.05), start=[[0.9], [0.2]], steps=2, gap=None)
    goal = rb.plot.Goal((float(run.foot[-1, 1, 0]),), 0.1)
    cast = replace(cast_of(named_runs(run, 1, 2), LINE.loss_scale, None, 3)[0], goal=goal)
    drawn = SCENERY["section"](cast, LINE, [(-3.0, 2.0)], False, "").figure.axes[0].lines
    dashed = [line.get_xdata() for line in drawn if line.get_linestyle() == "--"]
    assert dashed == [[goal.point[0]] * 2]
    assert reached(named_runs(run, 1, 2), goal).tolist() == [False, True]


@pytest.fixture(scope="module")
def rolled():
    """A ball that rolls down a sine to the left."""
    return rb.simulate(LINE, rb.Ball(0.4), rb.FootpointRBO(lr=0.05), start=[0.9], steps=60, gap=None)


def test_a_film_has_its_pictures_and_its_time_and_the_ball_moves_in_it(rolled, tmp_path):
    animate(rolled, LINE, tmp_path / "a.gif", fps=8, seconds=1.0, box=[(-3.0, 2.0)])
    shown, stays = pictures(tmp_path / "a.gif")
    assert len(shown) == 8
    assert sum(stays[:-1]) == pytest.approx(7 / 8, abs=0.011)
    assert stays[-1] == 1.0  # the end stays
    begin, end = (near(picture, PALETTE[0]) for picture in (shown[0], shown[-1]))
    assert min(begin[1], end[1]) > 50
    scale = shown.shape[2] / 5.0 * 0.9  # pixels for a unit, about
    way = (rolled.center[-1] - rolled.center[0])[0] * [1, -1] * scale
    np.testing.assert_allclose(end[0] - begin[0], way, atol=0.12 * scale * 5)
    assert (end[0] - begin[0])[0] < -50
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]  # nothing beside it


def test_chosen_frames_are_a_picture_each(rolled, tmp_path):
    animate(rolled, LINE, tmp_path / "a.gif", frames=[0, 10, -1], box=[(-3.0, 2.0)])
    assert len(pictures(tmp_path / "a.gif")[0]) == 3


@pytest.mark.parametrize("view", ["contour", "surface"])
def test_balls_move_over_the_plane_in_either_view(view, tmp_path):
    animate(make(2, balls=2), PLANE, tmp_path / "a.gif", frames=[0, 2, 5], view=view, title="t")
    shown, _ = pictures(tmp_path / "a.gif")
    assert len(shown) == 3
    assert ((np.abs(np.diff(shown, axis=0)).max(axis=-1) > 60).sum(axis=(1, 2)) > 100).all()


def test_moments_are_linear_in_time_and_turn_with_the_ball(rolled):
    of_frames = orientations(rolled, 1.0)
    shown, turned = moments(rolled, of_frames, None, 13)
    np.testing.assert_allclose(shown.time, np.linspace(0, rolled.time[-1], 13), atol=1e-12)
    assert turned.shape == (13, 1, 4)
    way = np.linalg.norm(np.diff(rolled.center[:, 0], axis=0), axis=1).sum()
    angle = np.unwrap(level_angle(turned)[:, 0])
    assert angle[0] == 0
    assert angle[-1] == pytest.approx(-way / 0.4, rel=1e-3)  # to the left, by the way of the centre
    middle = moments(rolled, of_frames, None, 121)[1][1::2, 0]  # half-way between two frames
    np.testing.assert_allclose(middle, exponential(_half(of_frames[:, 0])), atol=1e-12)
    picked, turned = moments(rolled, of_frames, [3, -1], 9)
    np.testing.assert_array_equal(picked.step, [3, 60])
    np.testing.assert_array_equal(turned, of_frames[[3, 60]])


def _half(turned):
    """The rotation vectors half-way between neighbours that turn about y."""
    angle = np.unwrap(level_angle(turned))
    return (angle[1:] + angle[:-1])[:, None] / 2 * np.array([0.0, 1.0, 0.0])


def test_matrices_turn_as_their_quaternions_do():
    rotation = np.random.default_rng(0).normal(size=(5, 3))
    made = matrices(exponential(rotation))
    np.testing.assert_allclose(made @ made.swapaxes(-1, -2), np.eye(3) + 0 * made, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(made), 1, atol=1e-12)
    np.testing.assert_allclose(np.einsum("nij,nj->ni", made, rotation), rotation, atol=1e-12)
    quarter = matrices(exponential(np.array([0.0, np.pi / 2, 0.0])))
    np.testing.assert_allclose(quarter @ [0.0, 0.0, 1.0], [1.0, 0.0, 0.0], atol=1e-12)


def test_the_disk_of_a_section_is_the_ball_and_its_sectors_have_turned(rolled):
    cast, turned = cast_of(named_runs(rolled), 1.0, [0, 30], 0)
    scene = SCENERY["section"](cast, LINE, [(-3.0, 2.0)], False, "")
    scene.show(1, turned[-1])
    ((disk, rim, sectors, way, feet),) = scene.balls.values()
    assert disk.get_radius() == rim.get_radius() == 0.4
    np.testing.assert_array_equal(disk.center, rolled.center[30, 0])
    assert sectors[0].theta1 == pytest.approx(-np.degrees(level_angle(turned[-1, 0])))
    assert sectors[1].theta1 - sectors[0].theta1 == pytest.approx(180)
    np.testing.assert_array_equal(way.get_xydata(), rolled.center[[0, 30], 0])
    np.testing.assert_allclose(np.linalg.norm(feet.get_xydata() - disk.center, axis=1), 0.4, atol=1e-9)
    assert disk.axes.get_aspect() == 1


def test_contours_have_a_panel_for_each_radius_with_its_balls():
    run = make(2, balls=4, radius=[0.2, 0.3, 0.2, 0.3])
    cast, turned = cast_of(named_runs(run), 1.0, [0, -1], 0)
    scene = SCENERY["contour"](cast, PLANE, BOX[2], False, "")
    assert [ax.get_title() for ax in scene.figure.axes] == ["radius 0.2", "radius 0.3"]
    scene.show(1, turned[1])
    for ball, (tones, disk, _way, dot) in scene.balls.items():
        assert disk.get_radius() == run.radius[-1, ball]
        np.testing.assert_array_equal(disk.center, run.center[-1, ball, :2])
        np.testing.assert_array_equal(dot.get_xydata()[0], run.foot[-1, ball])
        left, right, low, high = tones.get_extent()
        np.testing.assert_allclose([(left + right) / 2, (low + high) / 2], disk.center, atol=1e-12)
        np.testing.assert_allclose([right - left, high - low], 2 * disk.get_radius(), atol=1e-12)


def test_two_tones_turn_with_the_ball():
    cast, _turned = cast_of(named_runs(make(2, balls=1)), 1.0, [0], 0)
    scene = SCENERY["contour"](cast, PLANE, BOX[2], False, "")
    (tones, *_rest), quarter = scene.balls[0], np.array([[np.cos(np.pi / 4), 0, 0, np.sin(np.pi / 4)]])
    scene.show(0, np.array([[1.0, 0.0, 0.0, 0.0]]))
    before = np.array(tones.get_array())
    scene.show(0, quarter)  # about the vertical axis: what was at the right is at the back
    after = np.array(tones.get_array())
    np.testing.assert_array_equal(after[..., :3], np.rot90(before[..., :3], 3))  # rows go up
    inside = before[..., 3] > 0
    assert inside.mean() == pytest.approx(np.pi / 4, abs=0.02)
    assert (before[..., :3] != after[..., :3]).any(axis=-1)[inside].all()  # of four sectors every tone has changed


@pytest.mark.parametrize("dim", [1, 2])
def test_lost_balls_points_and_single_frames_have_a_film(dim, tmp_path):
    lost = make(dim)
    lost.foot[3:, 1], lost.center[3:, 1], lost.loss[3:, 1] = np.nan, np.nan, np.nan
    for name, run in {"lost": lost, "point": make(dim, radius=0.0), "one": make(dim, frames=1)}.items():
        animate(run, SURFACE[dim], tmp_path / f"{name}.gif", fps=3, seconds=1.0)
        assert len(pictures(tmp_path / f"{name}.gif")[0]) == (1 if name == "one" else 3)


def test_what_cannot_become_a_film_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(encoding.shutil, "which", lambda name: None)
    good = {"trajectory": make(1), "surface": LINE, "path": tmp_path / "a.gif"}
    bad = {
        "path": [tmp_path / "a.png", tmp_path / "a", tmp_path / "a.mp4"],
        "view": ["contour", "top"],
        "fps": [0, 51, 2.5],
        "seconds": [0, -1, "a"],
        "box": [BOX[2], [(1.0, 0.0)]],
        "surface": [PLANE],
        "trajectory": [make(3), make(1, frames=0)],
        "frames": [[6], "a"],
    }
    for field, values in bad.items():
        for value in values:
            with pytest.raises(rb.InputError, match=rf"^{field}: got "):
                animate(**{**good, field: value})
    with pytest.raises(rb.InputError, match=r"needs ffmpeg, which is not installed"):
        animate(make(1), LINE, tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(rb.FileError, match="nowhere"):
        animate(make(1), LINE, tmp_path / "nowhere" / "a.gif", frames=[0])


def test_an_mp4_is_what_ffmpeg_makes_of_the_pictures(tmp_path, monkeypatch):
    """In place of ffmpeg a script that writes what it was given: its number of pictures is counted."""
    import matplotlib

    fake = tmp_path / "bin" / "ffmpeg"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\nfor last; do :; done\ncat > "$last"\n')
    fake.chmod(0o755)
    monkeypatch.setattr(encoding.shutil, "which", lambda name: str(fake))
    with matplotlib.rc_context({"animation.ffmpeg_path": str(fake)}):
        animate(make(1), LINE, tmp_path / "a.mp4", frames=[0, 1, 2])
    size = (tmp_path / "a.mp4").stat().st_size
    assert size > 0
    assert size % (3 * 4) == 0  # raw pictures of four bytes a pixel


def test_an_mp4_of_the_real_ffmpeg_plays(tmp_path):
    """Every picture is there, of an even size and in the colours that players know."""
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        pytest.skip("no ffmpeg and ffprobe: apt-get install ffmpeg")
    animate(make(1), LINE, tmp_path / "a.mp4", fps=10, frames=[0, 1, 2, 3])
    asked = "stream=codec_name,pix_fmt,width,height,nb_read_frames,r_frame_rate"
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", asked, "-of", "json", tmp_path / "a.mp4"]
    (film,) = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["streams"]
    assert (film["codec_name"], film["pix_fmt"], film["r_frame_rate"]) == ("h264", "yuv420p", "10/1")
    assert int(film["nb_read_frames"]) == 4
    assert film["width"] % 2 == film["height"] % 2 == 0
