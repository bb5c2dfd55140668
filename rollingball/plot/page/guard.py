"""Who may see the page: a request that carries its token, and that neither another host name nor another site sent."""

from __future__ import annotations

import contextlib
import dataclasses
import http
import re
import secrets
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

THIS_MACHINE = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", re.IGNORECASE)
_starting = threading.Lock()  # one server at a time passes through the replaced function


class Guard:
    """The rule by which a server answers a request, or refuses it with status 403 before it sends anything.

    The page is at ``http://127.0.0.1:PORT/TOKEN/``. A request is answered if all of the following hold:

    * Its path begins with the token: 192 random bits, which no other user or program of the machine can guess.
    * Its header Host names this machine. Otherwise the name of a foreign site leads to 127.0.0.1 (DNS rebinding).
    * Its header Origin, which browsers send, is the page itself. Otherwise the page of another site sent it.

    Attributes:
        token: The secret part of the address.
        installed: Whether a server asks this guard.
    """

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(24)
        self.installed = False

    def path_behind(self, path: str, hosts: list[str], origins: list[str]) -> str | None:
        """The path after the token, or None for a request that is to be refused.

        Args:
            path: The path of the request, with its query.
            hosts: All values of its header Host.
            origins: All values of its header Origin.
        """
        token, slash, rest = path.removeprefix("/").partition("/")
        token = token if slash else token.partition("?")[0]
        known = secrets.compare_digest(token.encode(), self.token.encode())
        here = len(hosts) == 1 and THIS_MACHINE.fullmatch(hosts[0]) is not None
        own = all(here and origin.lower() == f"http://{hosts[0]}".lower() for origin in origins)
        return f"/{rest}" if known and here and own else None

    def guarded(self, answer: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """A ``process_request`` of the package websockets that asks this guard before it calls ``answer``."""

        def process_request(connection: Any, request: Any) -> Any:
            headers = request.headers
            path = self.path_behind(request.path, headers.get_all("Host"), headers.get_all("Origin"))
            if path is None:
                return connection.respond(http.HTTPStatus.FORBIDDEN, "Open the address that was printed.\n")
            response = answer(connection, dataclasses.replace(request, path=path))
            if response is not None:
                response.headers["Referrer-Policy"] = "no-referrer"  # the address holds the token
            return response

        return process_request


@contextlib.contextmanager
def asked(guard: Guard) -> Iterator[None]:
    """Inside the block, a viser server that starts asks a guard about each request from the first one on.

    viser has no option for this, so the function of the package websockets with which it starts its server is replaced
    for that long.
    """
    library: Any = sys.modules.get("websockets.asyncio.server")  # viser has imported it
    if library is None:
        yield
        return
    serve = library.serve

    def serve_guarded(handler: Any, *arguments: Any, process_request: Any = None, **options: Any) -> Any:
        if str(getattr(handler, "__module__", "")).startswith("viser.") and process_request is not None:
            process_request, guard.installed = guard.guarded(process_request), True
        return serve(handler, *arguments, process_request=process_request, **options)

    with _starting:
        library.serve = serve_guarded
        try:
            yield
        finally:
            library.serve = serve
