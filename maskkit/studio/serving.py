"""The studio served: bound to this machine, behind the guard, until it is stopped."""

import ipaddress
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskkit.errors import MissingExtraError, StudioError
from maskkit.files.outputs import owned
from maskkit.report.inspection import OnProgress
from maskkit.studio.guard import OWN_NAMES, App, Guard
from maskkit.studio.review import ReviewedRows
from maskkit.studio.session import Session

if TYPE_CHECKING:
    import uvicorn

FILE_NAME = "corrections.json"
PORT = 8068
LARGEST_BODY = 1 << 16  # bytes; the points of a face are 3 kB
TOKEN_BYTES = 24
MOST_AT_ONCE, WAITING = 64, 128  # requests, connections
SECONDS_TO_END = 2  # for requests that are under way when the server is stopped


def serve_studio(
    shards: str | Path,
    corrections: str | Path | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = PORT,
    on_progress: OnProgress | None = None,
    on_ready: Callable[[str], None] = print,
) -> None:
    """Serve the page on which the rows of a data set are decided on, until a signal stops it.

    What is decided stands in the file `corrections`, by default corrections.json in `shards`, which one studio has at a
    time. `on_ready(address)` is called once with the address, whose token lets its holder in. Port 0 is any free one.
    Any `host` but this machine's own lets others in who know the address. Raises MissingExtraError, StudioError
    and other MaskkitErrors.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
        import websockets  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(error.name or "starlette", "studio", "the studio") from error
    from maskkit.studio.app import make_app

    folder = Path(shards)
    rows = ReviewedRows(folder, on_progress)
    file = folder / FILE_NAME if corrections is None else Path(corrections)
    with owned(file):
        serve(make_app(Session(rows, file)), host, port, on_ready)


def serve(app: App, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve an application behind a guard until a signal stops it. StudioError where the port cannot be had."""
    listener = _listener(host, port)
    with listener:
        port, token = listener.getsockname()[1], secrets.token_urlsafe(TOKEN_BYTES)
        server = _server(Guard(app, token, host, port, LARGEST_BODY))
        name = f"[{host}]" if ":" in host else host
        on_ready(f"http://{name}:{port}/{token}/")
        server.run([listener])  # gives a signal that has stopped it to the handler that was there before


def is_own_machine(host: str) -> bool:
    """Whether only programs on this machine can reach a server bound to `host`."""
    try:
        return host in OWN_NAMES or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listener(host: str, port: int) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(found[0], socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(found[4])
            listener.listen(WAITING)
        except BaseException:
            listener.close()
            raise
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StudioError(f"{host}:{port} cannot be served on ({reason}); --port 0 takes any free port") from error
    return listener


def _server(app: Any) -> "uvicorn.Server":
    import uvicorn

    config = uvicorn.Config(
        app,
        interface="asgi3",
        http="h11",
        ws="websockets-sansio",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_AT_ONCE,
        ws_max_size=LARGEST_BODY,
        timeout_graceful_shutdown=SECONDS_TO_END,
    )
    return uvicorn.Server(config)
