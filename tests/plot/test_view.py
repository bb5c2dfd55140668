"""The page itself: its server, its controls, and what a browser shows of it, served and as a file."""

import shutil
import socket
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import rollingball as rb
from rollingball.app import cli
from rollingball.plot.common.style import PALETTE
from tests.plot.pages import by_hand, spot

BOWL = rb.surfaces.quadratic([[0.4, 0.0], [0.0, 0.4]])
BOX = [(-2.0, 2.0), (-2.0, 2.0)]
RADIUS = 0.5
MINE = PALETTE[1]  # of ball 1: no other thing on a page has it


def crossing():
    """Two balls in a bowl: 1 crosses it until time 1, then spins where it is; 0 waits in its corner."""
    time = np.concatenate([np.linspace(0, 1, 21), np.linspace(1.1, 2, 10)])
    x = np.interp(time, [0, 1], [-1.2, 1.2])
    foot = np.stack([np.full((31, 2), -1.4), np.stack([x, 0 * x], axis=1)], axis=1)
    height = BOWL.value(foot.reshape(-1, 2)).reshape(31, 2)
    normal = np.concatenate([-0.4 * foot, np.ones((31, 2, 1))], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    center = np.concatenate([foot, height[..., None]], axis=-1) + RADIUS * normal
    spin = np.zeros((31, 2, 3))
    spin[21:, 1] = [0, 0, 1.0]
    contacts = np.ones((31, 2), np.int32)
    return by_hand(foot, center, height, time, RADIUS, spin=spin, contacts=contacts)


@pytest.fixture(scope="module")
def run():
    return crossing()


@pytest.fixture
def served(run):
    pytest.importorskip("viser")
    with rb.plot.view(run, BOWL, BOX, "Two balls", port=0) as page:
        yield page


def listening():
    """The addresses of IPv4 and IPv6 on which this machine listens, by port."""
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            if state == "0A":
                address, port = local.split(":")
                found.setdefault(int(port, 16), set()).add(address)
    return found


# The server


def test_this_machine_alone_sees_the_page(served):
    if not Path("/proc/net/tcp").exists():
        pytest.skip("no /proc/net/tcp to read")
    assert served.url.startswith(f"http://127.0.0.1:{served.server.get_port()}/")
    assert listening()[served.server.get_port()] == {"0100007F"}
    assert served.server.request_share_url() is None


def test_a_stopped_page_leaves_neither_thread_nor_port(run):
    pytest.importorskip("viser")
    before = set(threading.enumerate())
    page = rb.plot.view(run, BOWL, BOX, port=0)
    port = page.server.get_port()
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass
    page.stop()
    page.stop()  # again: nothing
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    left = {thread for thread in set(threading.enumerate()) - before if thread.is_alive()}
    for thread in left:
        thread.join(5)
    assert not any(thread.is_alive() for thread in left)


def test_a_taken_port_gives_the_next_one(served, run):
    with rb.plot.view(run, BOWL, BOX, port=served.server.get_port()) as other:
        assert other.server.get_port() > served.server.get_port()


@pytest.mark.parametrize("port", [-1, 70000, "80", 8080.0])
def test_ports_that_are_none_are_refused(port, run, no_compiling):
    pytest.importorskip("viser")
    with pytest.raises(rb.InputError, match="port"):
        rb.plot.view(run, BOWL, port=port)


# Its controls


def test_scrubbing_moves_the_balls_of_the_scene(served):
    run, place = crossing(), served.page.place
    first, second = served.stage.balls["run"]
    for frame in (0, 11, 20):
        served.clock.value = float(run.time[frame])
        np.testing.assert_allclose(first.batched_positions, place(run.center[frame]), atol=1e-5)
        np.testing.assert_array_equal(second.batched_positions, first.batched_positions)
        np.testing.assert_allclose(np.linalg.norm(first.batched_wxyzs, axis=1), 1, atol=1e-6)
        assert f"| step | {frame} |" in served.reading.content
    np.testing.assert_allclose(first.batched_scales, RADIUS * served.page.zoom, rtol=1e-6)


def test_playing_goes_on_and_begins_anew_after_the_end(served):
    def wait_for(true):
        end = time.monotonic() + 20
        while not true():
            assert time.monotonic() < end
            time.sleep(0.02)

    assert served.clock.value == 0
    served.speed.value, served.playing.value = "4", True
    wait_for(lambda: served.clock.value > 0.3)
    served.clock.value = 1.95
    wait_for(lambda: served.clock.value < 1.0)
    served.playing.value = False
    time.sleep(0.1)
    before = served.clock.value
    time.sleep(0.2)
    assert served.clock.value == before


def test_a_picked_ball_is_told_of(served):
    assert "ball 0" in served.chosen.value
    served.clock.value = 0.55  # frame 11
    served.pick("run", 1)
    assert "ball 1" in served.chosen.value
    assert f"| loss f | {crossing().loss[11, 1]:.6g} |" in served.reading.content
    assert "| contacts | 1 |" in served.reading.content
    assert [chart.title for chart in served._charts] == ["loss f", "gap, below 0 inside the surface", "contacts"]
    low, high = served._charts[1].scales["y"]["range"]
    assert low < -0.005 < 0.005 < high < 0.01  # a hundredth of the radius, though the gap is 0


def test_f_and_f_rho_are_switched(served):
    name = list(served.radii)[1]
    served.ground.value = name
    assert {radius: handle.visible for radius, handle in served.stage.grounds.items()} == {0.0: False, RADIUS: True}
    served.ground.value = "f"
    assert {radius: handle.visible for radius, handle in served.stage.grounds.items()} == {0.0: True, RADIUS: False}


def test_an_f_rho_that_cannot_be_drawn_leaves_f(run):
    pytest.importorskip("viser")
    run = crossing()
    run.radius[:, 0] = 1e-5
    with rb.plot.view(run, BOWL, BOX, port=0) as page:
        page.ground.value = list(page.radii)[1]
        assert page.ground.value == "f"
        assert page.stage.grounds[0.0].visible


def test_runs_are_shown_together_or_one_at_a_time(run):
    pytest.importorskip("viser")
    with rb.plot.view({"a": run, "b": run}, BOWL, BOX, port=0) as page:
        page.runs.value = "b"
        assert [page.stage.balls[name][0].visible for name in "ab"] == [False, True]
        assert [page.stage.paths[name].visible for name in "ab"] == [False, True]
        page.paths.value = False
        page.runs.value = "all runs"
        assert [page.stage.balls[name][0].visible for name in "ab"] == [True, True]
        assert [page.stage.paths[name].visible for name in "ab"] == [False, False]


# The command

SCENE = """
title = "a parabola"
surface = { type = "quadratic", matrix = [[1.0]] }
ball = { radius = 0.2, start = [[0.5]] }
[[run]]
name = "one"
method = "footpoint-rbo"
lr = 0.1
steps = 4
"""


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("once")
    (folder / "mine.toml").write_text(SCENE)
    cli.main(["run", str(folder / "mine.toml"), "--out", str(folder / "rolled")])
    return folder / "rolled"


@pytest.fixture
def rolled(once, tmp_path):
    return Path(shutil.copytree(once, tmp_path / "rolled"))


def refused(capsys, *arguments):
    """The one line with which a command ends, with status 2."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        cli.main(["view", *map(str, arguments)])
    line = capsys.readouterr().err.rstrip("\n")
    assert caught.value.code == 2
    assert line.startswith("rollingball: ")
    assert "\n" not in line
    return line


@pytest.mark.parametrize("html", [[], ["--html", "page.html"]])
def test_without_viser_one_line_says_how_to_install_it(html, rolled, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "viser", None)
    monkeypatch.chdir(rolled)
    assert refused(capsys, rolled, *html).endswith("pip install 'rollingball[view]'")
    assert not (rolled / "page.html").exists()


def test_a_half_written_folder_is_named(rolled, capsys):
    whole = (rolled / "one.safetensors").read_bytes()
    (rolled / "one.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "one.safetensors: not a whole safetensors file" in refused(capsys, rolled)
    assert "one.safetensors: not a whole safetensors file" in refused(capsys, rolled / "one.safetensors")
    (rolled / "one.safetensors").unlink()
    assert "one.safetensors" in refused(capsys, rolled)
    (rolled / "scene.json").unlink()
    assert "is it a folder that run wrote?" in refused(capsys, rolled)
    assert "nothing" in refused(capsys, rolled / "nothing")


def test_a_trajectory_on_a_surface_of_ones_own_says_what_to_call(tmp_path, capsys):
    for scene in ({}, {"surface": {"name": "mine"}}):
        by_hand(np.zeros((2, 1, 2)), np.zeros((2, 1, 3)), 0.0, scene=scene).save(tmp_path / "a.safetensors")
        assert "rollingball.plot.view(run, surface)" in refused(capsys, tmp_path / "a.safetensors")
    for scene, named in (({"surface": {"type": "nonsense"}}, "surface.type"), ({"surface": 3}, "surface of its scene")):
        by_hand(np.zeros((2, 1, 2)), np.zeros((2, 1, 3)), 0.0, scene=scene).save(tmp_path / "a.safetensors")
        assert named in refused(capsys, tmp_path / "a.safetensors")


def test_more_than_two_dimensions_are_refused(tmp_path, capsys):
    pytest.importorskip("viser")
    run = by_hand(np.zeros((2, 1, 3)), np.zeros((2, 1, 4)), 0.0, scene={"surface": {"type": "sine", "dim": 3}})
    run.save(tmp_path / "a.safetensors")
    assert "one or two dimensions" in refused(capsys, tmp_path / "a.safetensors")


def test_the_command_serves_until_it_is_interrupted(rolled, capsys, monkeypatch):
    pytest.importorskip("viser")
    seen = []

    def interrupted(page):
        with socket.create_connection(("127.0.0.1", page.server.get_port()), timeout=5):
            seen.append((page.url, list(page.page.casts), page.page.title))

    monkeypatch.setattr(rb.plot.View, "wait", interrupted)
    cli.main(["view", str(rolled), "--port", "8180"])
    cli.main(["view", str(rolled / "one.safetensors"), "--port", "8180"])
    printed = capsys.readouterr().out
    assert [(names, title) for _url, names, title in seen] == [(["one"], "a parabola"), (["one"], "one")]
    assert all(url in printed for url, _names, _title in seen)


def test_an_unwritable_file_is_named(rolled, capsys):
    pytest.importorskip("viser")
    assert "cannot be written" in refused(capsys, rolled, "--html", rolled / "no" / "page.html")


# In a browser


@pytest.mark.slow
def test_a_browser_shows_the_page(served, browser):
    browser.open(served.url)
    first = browser.until(lambda picture: spot(picture, MINE) is not None, what="a ball")
    assert spot(first, PALETTE[0]) is not None
    places = [spot(first, MINE)]
    for moment in (0.5, 1.0):
        served.clock.value = moment
        before = places[-1]
        browser.until(lambda p, b=before: (s := spot(p, MINE)) is not None and s[0] > b[0] + 30, what="a move")
        moved = browser.still("view" if moment == 0.5 else "")
        places.append(spot(moved, MINE))
    # where the camera sees the centres, to a few pixels
    shown = [seen_at(served, crossing().at(moment).center[0, 1], moved) for moment in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(places, shown, atol=12)
    # it spins where it is: the same place, another side
    x, y = places[-1].astype(int)
    around = np.s_[y - 25 : y + 25, x - 25 : x + 25]
    served.clock.value = 1.9
    browser.until(lambda p: (np.abs(p[around] - moved[around]).max(axis=-1) > 0.2).mean() > 0.1, what="a turn")
    assert np.linalg.norm(spot(browser.still(), MINE) - places[-1]) < 12
    # a click picks it
    from selenium.webdriver.common.action_chains import ActionChains

    assert "ball 0" in served.chosen.value
    ActionChains(browser.driver).move_by_offset(*places[-1].astype(int).tolist()).click().perform()
    end = time.monotonic() + 20
    while "ball 1" not in served.chosen.value and time.monotonic() < end:
        time.sleep(0.1)
    assert "ball 1" in served.chosen.value
    far = browser.still()
    served.following.value = True
    near = browser.until(lambda p: spot(p, MINE) is not None and np.abs(p - far).mean() > 0.02, what="a closer view")
    near = browser.still("view-following")
    assert spot(near, MINE) is not None
    served.ground.value = list(served.radii)[1]
    served.following.value = False
    browser.until(lambda p: np.abs(p - near).mean() > 0.02, what="the whole view")
    browser.still("view-f-rho")
    assert browser.complaints() == []
    assert [url for url in browser.requested() if not url.startswith(served.url)] == []
    browser.driver.refresh()  # the address in the bar still holds the token
    browser.until(lambda picture: spot(picture, MINE) is not None, what="a ball again")


@pytest.mark.slow
def test_of_two_balls_at_one_place_a_browser_shows_one(run, browser):
    """Two surfaces at one place would show in patches that flicker as the camera moves."""
    pytest.importorskip("viser")
    with rb.plot.view({"first": run, "second": run}, BOWL, BOX, port=0) as page:
        page.paths.value = False
        browser.open(page.url)
        browser.until(lambda picture: spot(picture, PALETTE[0]) is not None, what="a ball")
        for moment in (0.0, 0.5, 1.0):
            page.clock.value = moment
            time.sleep(0.5)
            picture = browser.still("view-coinciding")
            assert spot(picture, PALETTE[0]) is not None
            assert spot(picture, PALETTE[1], least=1) is None


def seen_at(served, point, picture):
    """The pixel at which the first camera of a page sees a point of R^3."""
    from rollingball.plot.page.contents import FIELD_OF_VIEW

    eye, target = served.page.camera()
    ahead = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(ahead, [0, 0, 1])
    right /= np.linalg.norm(right)
    away = served.page.place(point) - eye
    height, width = picture.shape[:2]
    focus = height / 2 / np.tan(FIELD_OF_VIEW / 2)
    across, up = away @ right / (away @ ahead), away @ np.cross(right, ahead) / (away @ ahead)
    return np.array([width / 2 + focus * across, height / 2 - focus * up])


@pytest.mark.slow
def test_a_file_shows_the_page_without_a_server_or_a_network(run, browser, tmp_path):
    pytest.importorskip("viser")
    from selenium.webdriver.common.keys import Keys

    file = tmp_path / "page.html"
    file.write_bytes(rb.plot.offline(run, BOWL, BOX, "Two <balls>"))
    browser.open(file.as_uri())
    browser.until(lambda picture: spot(picture, MINE) is not None, what="a ball")
    browser.driver.find_element("tag name", "body").send_keys(" ")  # pauses
    assert browser.driver.title == "Two <balls>"
    clock = browser.driver.find_element("css selector", "input[inputmode]")
    places = []
    for seconds in ("0.1", "4.9"):  # ten seconds are the times 0 to 2
        clock.send_keys(Keys.CONTROL, "a")
        clock.send_keys(seconds, Keys.ENTER)
        time.sleep(0.5)  # it has been told
        places.append(spot(browser.still("offline"), MINE))
    assert places[1][0] > places[0][0] + 80
    # the card tells of the ball that is chosen
    card = browser.driver.find_element("id", "card")
    assert "Two <balls>" in card.text
    assert len(card.find_elements("tag name", "svg")) == 3
    from selenium.webdriver.support.ui import Select

    drawn = card.find_element("tag name", "polyline").get_attribute("points")
    Select(card.find_element("tag name", "select")).select_by_index(1)
    assert card.find_element("tag name", "polyline").get_attribute("points") != drawn
    assert browser.complaints() == []
    assert browser.requested() == []


def test_a_file_holds_no_markup_of_others(run):
    pytest.importorskip("viser")
    evil = "</script><script>document.title='gone'</script>"
    text = rb.plot.offline({evil: run}, BOWL, BOX, evil).decode()
    assert evil not in text
    assert "<title>&lt;/script&gt;" in text
