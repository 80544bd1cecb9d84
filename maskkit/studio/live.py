"""The live connection: points in, what is drawn of them out, and never a stale one waited for."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from maskkit.errors import MaskkitError, StudioError
from maskkit.files.json_text import parse_json
from maskkit.points.landmarks import Points, check_points

Paint = Callable[[Points], bytes]

MOST_CONNECTIONS = 16
NUMBER_BYTES = 4  # before a picture: the number that the page gave its points, little end first
LARGEST_NUMBER = (1 << 32) - 1


class Live:
    """Draws for every open page with `paint`, which runs in a thread: the newest points win, those before are dropped.

    A page sends text, JSON of `n` and `points`; it gets bytes, `n` and then what `paint` gave, or text, JSON of an
    `error`, and of the row that another page has `changed`.
    """

    def __init__(self, paint: Paint) -> None:
        self.paint = paint
        self._pages: set[_Page] = set()

    async def serve(self, socket: WebSocket) -> None:
        """Serve one page until it goes."""
        if len(self._pages) >= MOST_CONNECTIONS:
            await socket.close(1013, "too many pages are open; close one")
            return
        await socket.accept()
        page = _Page(socket, self.paint)
        self._pages.add(page)
        drawing = asyncio.create_task(page.draw())
        try:
            await page.listen()
        finally:
            self._pages.discard(page)
            drawing.cancel()

    def tell(self, change: dict[str, Any]) -> None:
        """Let every open page know of a change."""
        for page in self._pages:
            page.say(change)


class _Page:
    def __init__(self, socket: WebSocket, paint: Paint) -> None:
        self.socket, self.paint = socket, paint
        self.newest: str | None = None
        self.news: dict[str, dict[str, Any]] = {}  # of each kind the newest: a page that does not read holds no more
        self.awake = asyncio.Event()

    def say(self, change: dict[str, Any]) -> None:
        self.news["changed"] = change
        self.awake.set()

    async def listen(self) -> None:
        try:
            while True:
                message = await self.socket.receive()
                if message["type"] != "websocket.receive":
                    return
                self.newest = message.get("text") or ""
                self.awake.set()
        except WebSocketDisconnect:
            return

    async def draw(self) -> None:
        try:
            while True:
                await self.awake.wait()
                self.awake.clear()
                text, self.newest = self.newest, None
                news, self.news = self.news, {}
                for change in news.values():
                    await self.socket.send_text(json.dumps(change))
                if text is not None:
                    await self._answer(text)
        except (WebSocketDisconnect, RuntimeError, OSError):  # the page has gone meanwhile
            return

    async def _answer(self, text: str) -> None:
        try:
            data = await run_in_threadpool(_drawn, text, self.paint)
        except MaskkitError as error:
            await self.socket.send_text(json.dumps({"error": str(error)}))
        else:
            await self.socket.send_bytes(data)


def _drawn(text: str, paint: Paint) -> bytes:
    try:
        content = parse_json(text)
    except ValueError as error:
        raise StudioError(f"the message is not valid JSON ({error})") from error
    number = content.get("n") if isinstance(content, dict) else None
    if not isinstance(number, int) or not 0 <= number <= LARGEST_NUMBER:
        raise StudioError("the message has no number n")
    points = read_face(content.get("points"))
    return number.to_bytes(NUMBER_BYTES, "little") + paint(points)


def read_face(value: Any) -> Points:
    """One face's points of what JSON gave, float32 (68, 2); PointsError or StudioError."""
    points = check_points(value)
    if points.ndim != 2:
        raise StudioError(f"the points of one face are of shape (68, 2), not {points.shape}")
    return points
