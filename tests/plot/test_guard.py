"""Who sees the page: its address holds a token, and neither other users, other names nor other sites get anything."""

import http.client
import threading
from urllib.parse import urlsplit

import pytest

import rollingball as rb
from rollingball.core.errors import RollingBallError
from rollingball.plot.page import scene
from rollingball.plot.page.guard import Guard, asked
from tests.plot.test_page import FLAT, sliding

FOREIGN = ("http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1:{port}", "http://localhost:{port}")
HOSTS = ("evil.example:{port}", "evil.example", "127.0.0.1.evil.example:{port}", "0.0.0.0:{port}", "")


@pytest.fixture(scope="module")
def page():
    pytest.importorskip("viser")
    with rb.plot.view(sliding(), FLAT, port=0) as served:
        yield served


def status(page, path, host=None, origin=None, upgrade=False):
    """The status of a request, and what came with it."""
    port = page.server.get_port()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("GET", path, skip_host=True)
    connection.putheader("Host", (host or "127.0.0.1:{port}").format(port=port) if host != "" else "")
    if origin:
        connection.putheader("Origin", origin.format(port=port))
    if upgrade:
        import viser

        for name, value in {
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": f"viser-v{viser.__version__}",
        }.items():  # fmt: skip
            connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    content = b"" if response.status == 101 else response.read()
    connection.close()
    return response.status, content


def path_of(page):
    return urlsplit(page.url).path


def scene_messages(page, **options):
    """How many bytes of the scene a WebSocket gets in its first message."""
    import viser
    from websockets.sync.client import connect

    address = page.url.replace("http://", "ws://")
    with connect(address, subprotocols=[f"viser-v{viser.__version__}"], **options) as socket:
        return len(socket.recv(timeout=10))


def test_the_address_that_is_printed_shows_the_page_and_its_scene(page):
    code, content = status(page, path_of(page))
    assert code == 200
    assert b"<html" in content
    port = page.server.get_port()
    assert status(page, path_of(page).rstrip("/"))[0] == 200
    assert status(page, path_of(page), origin="http://127.0.0.1:{port}", upgrade=True)[0] == 101
    assert status(page, path_of(page), "localhost:{port}", "http://localhost:{port}", upgrade=True)[0] == 101
    assert scene_messages(page, origin=f"http://127.0.0.1:{port}") > 100
    assert scene_messages(page) > 100  # a program of the user's, with the address


@pytest.mark.parametrize("upgrade", [False, True], ids=["http", "websocket"])
def test_a_request_without_the_token_is_refused(page, upgrade):
    token = path_of(page).strip("/")
    wrong = ["/", "/index.html", "/x/", f"/{token[:-1]}/", f"/{token}x/", f"//{token}/", f"/?{token}/", f"/x/{token}/"]
    for path in wrong:
        assert status(page, path, upgrade=upgrade)[0] == 403, path


@pytest.mark.parametrize("upgrade", [False, True], ids=["http", "websocket"])
def test_a_page_of_another_site_is_refused(page, upgrade):
    for origin in FOREIGN:
        assert status(page, path_of(page), origin=origin, upgrade=upgrade)[0] == 403, origin


@pytest.mark.parametrize("upgrade", [False, True], ids=["http", "websocket"])
def test_the_name_of_another_host_is_refused(page, upgrade):
    for host in HOSTS:
        assert status(page, path_of(page), host, upgrade=upgrade)[0] == 403, host
        foreign = f"http://{host}"
        assert status(page, path_of(page), host, foreign, upgrade=upgrade)[0] == 403, host


def test_a_refused_websocket_gets_nothing_of_the_scene(page):
    from websockets.exceptions import InvalidStatus

    with pytest.raises(InvalidStatus, match="403"):
        scene_messages(page, origin="http://evil.example")
    code, content = status(page, "/", upgrade=True)
    assert (code, content) == (403, b"Open the address that was printed.\n")


def test_every_page_has_a_token_of_its_own(page):
    tokens = {Guard().token for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 32
    assert path_of(page).strip("/") not in tokens


def test_two_headers_of_one_name_are_refused():
    guard = Guard()
    path, here = f"/{guard.token}/a?b", "127.0.0.1:80"
    assert guard.path_behind(path, [here], []) == "/a?b"
    assert guard.path_behind(path, [here], [f"http://{here}"]) == "/a?b"
    assert guard.path_behind(path, [here, here], []) is None
    assert guard.path_behind(path, [], []) is None
    assert guard.path_behind(path, [here], [f"http://{here}", "http://evil.example"]) is None
    assert guard.path_behind("", [here], []) is None


def test_a_viser_that_cannot_be_guarded_serves_nothing(monkeypatch):
    pytest.importorskip("viser")
    before = set(threading.enumerate())
    monkeypatch.setattr(Guard, "guarded", lambda self, answer: answer)
    monkeypatch.setattr(Guard, "installed", property(lambda self: False, lambda self, value: None), raising=False)
    with pytest.raises(RollingBallError, match="everyone on the machine"):
        scene.serve(0, "x")
    left = [thread for thread in set(threading.enumerate()) - before if thread.is_alive()]
    for thread in left:
        thread.join(5)
    assert not any(thread.is_alive() for thread in left)


def test_servers_of_others_are_left_alone(monkeypatch):
    import websockets.asyncio.server as library

    monkeypatch.setattr(library, "serve", lambda handler, *_place, process_request=None: process_request)
    serve, guard = library.serve, Guard()

    def answer(connection, request):
        return None

    with asked(guard):
        assert library.serve(answer, "127.0.0.1", 0, process_request=answer) is answer
        assert not guard.installed
        answer.__module__ = "viser.infra"
        assert library.serve(answer, "127.0.0.1", 0, process_request=answer) is not answer
    assert guard.installed
    assert library.serve is serve
