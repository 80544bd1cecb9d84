"""What the page asks for: the data set, its rows, what is decided about them. The guard stands before all of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from maskkit.corrections.decisions import CORRECT
from maskkit.errors import MaskkitError, OutputError, PointsError, ShardError, StudioError
from maskkit.files.json_text import parse_json
from maskkit.masks.raster import rasterize
from maskkit.points.landmarks import GROUPS, Points
from maskkit.studio.live import Live, read_face
from maskkit.studio.proposals import PROPOSALS
from maskkit.studio.session import ChangedError, Session

PAGE = Path(__file__).parent / "page"
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
# Statuses of what is refused, the first that fits.
STATUSES: tuple[tuple[type[MaskkitError], int], ...] = (
    (ChangedError, 409), (StudioError, 400), (PointsError, 400), (OutputError, 507), (ShardError, 500),
)  # fmt: skip


def read_page() -> Mapping[str, tuple[bytes, str]]:
    """The static files by name, with their kinds. Nothing else is served, so no path can lead anywhere."""
    return {
        file.name: (file.read_bytes(), KINDS[file.suffix]) for file in sorted(PAGE.iterdir()) if file.suffix in KINDS
    }


def make_app(session: Session) -> Starlette:
    """The application for one data set; without any protection of its own, which is `Guard`'s."""
    asked = _Asked(session)
    return Starlette(
        routes=[
            Route("/", asked.page),
            Route("/page/{name}", asked.page),
            Route("/data", asked.data),
            Route("/rows/{number:int}", asked.row),
            Route("/rows/{number:int}/photo.png", asked.photo),
            Route("/rows/{number:int}/proposals/{kind}", asked.proposal),
            Route("/rows/{number:int}/next", asked.next),
            Route("/find", asked.find),
            Route("/rows/{number:int}/decide", asked.decide, methods=["POST"]),
            Route("/undo", asked.undo, methods=["POST"]),
            Route("/redo", asked.redo, methods=["POST"]),
            WebSocketRoute("/live", asked.live.serve),
        ],
        exception_handlers={MaskkitError: _told, HTTPException: _told_plainly},
    )


class _Asked:
    """The answers. Those that are plain functions are run in threads."""

    def __init__(self, session: Session) -> None:
        self.session, self.files = session, read_page()
        scheme, size = session.rows.dataset.scheme, session.rows.size

        def paint(points: Points) -> bytes:
            return rasterize(points, size, scheme).tobytes()

        self.live = Live(paint)

    def page(self, request: Request) -> Response:
        found = self.files.get(request.path_params.get("name", "index.html"))
        if found is None:
            raise HTTPException(404)
        return Response(found[0], media_type=found[1])

    def data(self, request: Request) -> Response:
        rows = self.session.rows
        return JSONResponse({
            "folder": rows.folder.resolve().name,
            "file": str(self.session.file),
            "size": rows.size,
            "regions": [{"name": one.name, "color": list(one.color)} for one in rows.dataset.scheme.regions],
            "groups": {name: list(points) for name, points in GROUPS.items()},
            "proposals": {kind: title for kind, (title, _) in PROPOSALS.items()},
        })  # fmt: skip

    def row(self, request: Request) -> Response:
        return JSONResponse(self.session.state(request.path_params["number"]))

    def photo(self, request: Request) -> Response:
        return Response(self.session.picture(request.path_params["number"]), media_type="image/png")

    def proposal(self, request: Request) -> Response:
        kind = request.path_params["kind"]
        if kind not in PROPOSALS:
            raise HTTPException(404)
        return JSONResponse(
            {"points": self.session.propose(request.path_params["number"], PROPOSALS[kind][1]).tolist()}
        )

    def next(self, request: Request) -> Response:
        return JSONResponse({"position": self.session.next_undecided(request.path_params["number"])})

    def find(self, request: Request) -> Response:
        return JSONResponse({"position": self.session.find(request.query_params.get("id", ""))})

    async def decide(self, request: Request) -> Response:
        number = request.path_params["number"]
        await run_in_threadpool(_decide, self.session, number, await request.body())
        return await self._changed(number)

    async def undo(self, request: Request) -> Response:
        return await self._changed(await run_in_threadpool(self.session.undo))

    async def redo(self, request: Request) -> Response:
        return await self._changed(await run_in_threadpool(self.session.redo))

    async def _changed(self, number: int) -> Response:
        """The row as it is now, of which the other pages are told too."""
        state = await run_in_threadpool(self.session.state, number)
        self.live.tell({"changed": number, "version": state["version"], "counts": state["counts"],
                        "undo": state["undo"], "redo": state["redo"]})  # fmt: skip
        return JSONResponse(state)


def _decide(session: Session, number: int, body: bytes) -> None:
    try:
        content = parse_json(body)
    except ValueError as error:
        raise StudioError(f"the request is not valid JSON ({error})") from error
    if not isinstance(content, dict):
        raise StudioError("the request is not an object of verdict, points, seen and gesture")
    verdict, seen, gesture = content.get("verdict"), content.get("seen"), content.get("gesture")
    if not isinstance(seen, int) or not isinstance(gesture, str):
        raise StudioError("the request does not name the version seen and the gesture")
    session.decide(number, verdict, read_face(content.get("points")) if verdict == CORRECT else None, seen, gesture)


def _told(request: Request, error: Exception) -> Response:
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), 422)
    return JSONResponse({"error": str(error)}, status)


def _told_plainly(request: Request, error: Exception) -> Response:
    status: Any = getattr(error, "status_code", 404)
    return JSONResponse({"error": "there is no such thing here"}, status)
