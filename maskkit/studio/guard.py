"""Who may ask: the holder of the token, from a page of this server, by a name of this machine, and not for too much.

Another site that is open in the same browser can send requests to 127.0.0.1 too, also under a name of its own that it
lets point there (DNS rebinding). It knows neither the token nor can it choose the headers Host and Origin.
"""

import asyncio
import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

OWN_NAMES = ("127.0.0.1", "localhost", "::1")
PATIENCE = 10.0  # seconds for a whole request
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Nothing is kept by the browser, no other site may show, read or be told of anything.
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


class RefusedError(Exception):
    """A request that goes no further, and its status."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Guard:
    """An ASGI application in front of another, which sees the paths below the token and whole, small bodies."""

    app: App
    token: str
    host: str  # that the server is bound to
    port: int
    largest_body: int

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Let a request through, or answer why not."""
        if scope["type"] not in ("http", "websocket"):
            return
        try:
            below = self._allowed(scope)
            if scope["type"] == "http":
                receive = await self._whole_body(receive)
        except RefusedError as refusal:
            await _refuse(scope, send, refusal)
            return
        await self.app(below, receive, _with_headers(send))

    def _allowed(self, scope: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """The scope below the token; RefusedError for whoever may not ask."""
        names = [name for name, _ in scope["headers"]]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if names.count(b"host") != 1 or not self._is_own_name(headers["host"]):
            raise RefusedError(HTTPStatus.FORBIDDEN, "this name is none of this server's; use the address it printed")
        # Browsers name the page that asks wherever it could do harm.
        asks = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        if names.count(b"origin") > 1 or headers.get("origin", "" if asks else None) not in (
            None, f"http://{headers['host']}",
        ):  # fmt: skip
            raise RefusedError(HTTPStatus.FORBIDDEN, "only the page of this server may ask this")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise RefusedError(HTTPStatus.FORBIDDEN, "another site led here; use the address that was printed")
        token, slash, rest = scope["path"].removeprefix("/").partition("/")
        if not slash or not hmac.compare_digest(token.encode(), self.token.encode()):
            raise RefusedError(HTTPStatus.FORBIDDEN, "the token is missing or wrong; use the address that was printed")
        return {**scope, "path": f"/{rest}", "raw_path": None, "root_path": ""}

    def _is_own_name(self, value: str) -> bool:
        name, _, port = value.rpartition(":")
        name = name.removeprefix("[").removesuffix("]")
        if port != str(self.port):
            return False
        if name in OWN_NAMES or name == self.host:
            return True
        try:  # bound to all of the machine's addresses: rebinding takes a name, so any address may be
            ipaddress.ip_address(name)
            return ipaddress.ip_address(self.host).is_unspecified
        except ValueError:
            return False

    async def _whole_body(self, receive: Receive) -> Receive:
        body, more = bytearray(), True
        try:
            async with asyncio.timeout(PATIENCE):
                while more:
                    message = await receive()
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > self.largest_body:
                        raise RefusedError(
                            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                            f"a request may hold {self.largest_body:,} bytes, and this one holds more",
                        )
        except TimeoutError as error:
            raise RefusedError(HTTPStatus.REQUEST_TIMEOUT, "the request did not arrive in time") from error
        waiting: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        return replay


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
        await send(message)

    return sending


async def _refuse(scope: MutableMapping[str, Any], send: Send, refusal: RefusedError) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.reason})  # answered by status 403
        return
    body = json.dumps({"error": refusal.reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *HEADERS]
    headers.append((b"connection", b"close"))  # else the server would go on to read whatever is still sent
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
