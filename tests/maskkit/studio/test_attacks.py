"""What a hostile page, program or network may try: it is refused, and the server lives."""

import json
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import maskkit
from maskkit.studio.serving import LARGEST_BODY
from tests.maskkit.studio.conftest import Studio, running

for name in ("starlette", "uvicorn", "websockets"):
    pytest.importorskip(name, reason="needs the extra studio")
from websockets.exceptions import ConnectionClosed, InvalidStatus  # noqa: E402
from websockets.sync.client import connect  # noqa: E402

from maskkit.studio.live import MOST_CONNECTIONS  # noqa: E402

DECISION = {"verdict": "reject", "seen": 0, "gesture": "attack"}


@pytest.fixture(autouse=True)
def alive(studio: Studio) -> Any:
    """After every attack nothing is decided that was not before, and the server answers."""
    before = studio.file.read_bytes() if studio.file.exists() else None
    yield
    assert studio.process.poll() is None
    assert studio.ask("GET", "data")[0] == 200
    assert (studio.file.read_bytes() if studio.file.exists() else None) == before


def live(studio: Studio, **headers: str) -> Any:
    """The live connection, as the page opens it but for `headers`."""
    sent = {"origin": f"http://127.0.0.1:{studio.port}", "token": studio.token, **headers}
    return connect(f"ws://127.0.0.1:{studio.port}/{sent['token']}/live", origin=sent["origin"] or None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example:80"},
        {"host": "127.0.0.1:1"},
        {"host": "127.0.0.1.evil.example"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"token": "x" * 32},
        {"token": ""},
        {"token": "../" * 3},
    ],
)
def test_who_may_not_ask_is_refused(studio: Studio, headers: dict[str, str]) -> None:
    for method, path, body in (("GET", "", None), ("GET", "rows/0", None), ("POST", "rows/0/decide", DECISION)):
        status, content = studio.ask(method, path, body, **headers)
        assert status == 403 and content["error"]


def test_a_decision_needs_an_origin_and_only_the_one(studio: Studio) -> None:
    assert studio.ask("POST", "rows/0/decide", DECISION, origin="")[0] == 403
    assert studio.ask("GET", "rows/0/decide", origin="")[0] == 405
    lines = (f"POST /{studio.token}/undo HTTP/1.1", f"Host: 127.0.0.1:{studio.port}", "Host: evil.example",
             f"Origin: http://127.0.0.1:{studio.port}", "Content-Length: 0", "", "")  # fmt: skip
    with socket.create_connection(("127.0.0.1", studio.port), 60) as one:
        one.sendall("\r\n".join(lines).encode())
        assert one.recv(100).split()[1] in (b"400", b"403")


@pytest.mark.parametrize("headers", [{"origin": "http://evil.example"}, {"origin": ""}, {"token": "wrong"}])
def test_the_live_connection_is_guarded_too(studio: Studio, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        live(studio, **headers)


@pytest.mark.parametrize(
    "path",
    [
        "page/../session.py", "page/..%2fsession.py", "page/%2e%2e/%2e%2e/__init__.py", "..", "../../etc/passwd",
        "page/....//app.py", "page/..\\app.py", "page//etc/passwd", "page/", "rows/../data", "rows/-1",
        "rows/../../data", "rows/0/photo.png/../../../x", "rows/0/proposals/../hog", "rows/99999999999999999999",
        "rows/48", "find?id=../..",
        "rows/1e3", "page/index.html%00.js", "corrections.json", "dataset.json", "%2e%2e/", "docs", "openapi.json",
    ],
)  # fmt: skip
def test_nothing_beside_the_page_and_the_rows_is_there(studio: Studio, path: str) -> None:
    status, content = studio.ask("GET", path)
    assert status in (400, 404) and set(content) == {"error"}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"7", b"\xff\xfe", b'{"verdict": "accept"}', b"[" * 60_000,
        {"verdict": "maybe", "seen": 0, "gesture": ""},
        {"verdict": "accept", "seen": "0", "gesture": ""},
        {"verdict": "correct", "seen": 0, "gesture": ""},
        {"verdict": "correct", "seen": 0, "gesture": "", "points": [[float("nan"), 0.0]] * 68},
        {"verdict": "correct", "seen": 0, "gesture": "", "points": [[1e300, 0.0]] * 68},
        {"verdict": "correct", "seen": 0, "gesture": "", "points": [[1.0, 2.0]] * 67},
        {"verdict": "correct", "seen": 0, "gesture": "", "points": "x"},
        {"verdict": ["accept"], "seen": 0, "gesture": ""},
        {"verdict": {"a": 1}, "seen": 0, "gesture": ""},
    ],
)  # fmt: skip
def test_what_is_no_decision_is_refused_in_a_sentence(studio: Studio, body: Any) -> None:
    status, content = studio.ask("POST", "rows/0/decide", body)
    assert status == 400 and content["error"]


def test_a_body_that_never_ends_is_not_read(studio: Studio) -> None:
    assert studio.ask("POST", "rows/0/decide", b"x" * (LARGEST_BODY + 1))[0] == 413
    head = (f"POST /{studio.token}/rows/0/decide HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\n"
            f"Origin: http://127.0.0.1:{studio.port}\r\nContent-Length: {2 << 30}\r\n\r\n")  # fmt: skip
    sent, part = 0, bytes(1 << 16)
    with socket.create_connection(("127.0.0.1", studio.port), 60) as one:
        one.sendall(head.encode())
        try:
            while sent < 2 << 30:
                sent += one.send(part)
        except OSError:
            pass
    assert sent < 64 << 20  # what the two ends of the connection hold, of 2 GB


def test_a_flood_of_points_gets_the_newest_drawn(studio: Studio) -> None:
    points = maskkit.ShardReader(studio.shards)[0]["landmarks"]
    with live(studio) as page:
        for number in range(3000):
            page.send(json.dumps({"n": number, "points": (points + number / 1000).tolist()}))
        answers = []
        while not answers or answers[-1][0] < 2999:
            answer = page.recv(60)
            answers.append((int.from_bytes(answer[:4], "little"), answer[4:]))
    numbers = [number for number, _ in answers]
    assert numbers == sorted(set(numbers))
    wanted = maskkit.rasterize((points + 2999 / 1000).tolist(), 64)
    assert answers[-1][1] == wanted.tobytes()


def test_broken_messages_are_answered_and_too_long_ones_end_the_connection(studio: Studio) -> None:
    points = np.zeros((68, 2)).tolist()
    with live(studio) as page:
        for text in ("{", "7", "", "[" * 20_000, '{"n": 1}', '{"n": -1, "points": []}', '{"n": 1, "points": [[NaN]]}',
                     json.dumps({"n": 1, "points": [[float("nan"), 0.0]] * 68}), '{"n": 1, "points": {"a": 1}}',
                     json.dumps({"n": 1, "points": [points, points]}), '{"n": 99999999999, "points": []}'):  # fmt: skip
            page.send(text)
            assert json.loads(page.recv(60))["error"]
        page.send(b"\x00\x01")
        assert json.loads(page.recv(60))["error"]
        page.send(json.dumps({"n": 3, "points": points}))
        assert page.recv(60) == (3).to_bytes(4, "little") + bytes(64 * 64)
    with live(studio) as page, pytest.raises(ConnectionClosed):
        page.send("x" * (LARGEST_BODY + 1))
        page.recv(60)


def test_more_pages_than_anybody_opens_are_turned_away(studio: Studio) -> None:
    outcomes = []
    with ExitStack() as opened:
        for _ in range(30):
            try:
                opened.enter_context(live(studio))
            except InvalidStatus as refusal:
                outcomes.append(refusal.response.status_code)
    assert outcomes == [403] * (30 - MOST_CONNECTIONS)


def test_the_page_may_load_nothing_from_elsewhere(studio: Studio) -> None:
    from http.client import HTTPConnection

    connection = HTTPConnection("127.0.0.1", studio.port, timeout=60)
    connection.request("GET", f"/{studio.token}/")
    answer = connection.getresponse()
    page = answer.read().decode()
    connection.close()
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer" and answer.headers["cache-control"] == "no-store"
    for name in ("index.html", "page.css", "stage.js", "live.js", "review.js"):
        status, content = studio.ask("GET", f"page/{name}")
        assert status == 200
        found = content.decode().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in found and "https:" not in found and "//cdn" not in found
    assert "<script>" not in page and "style=" not in page


def test_a_second_studio_a_taken_port_and_a_stop(studio: Studio, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from cli.maskkit_command import main; main()", "studio", studio.shards]
    for arguments, message in (
        (["--port", "0"], f"corrections.json is being written by process {studio.process.pid}"),
        (["--port", str(studio.port), "--corrections", tmp_path / "mine.json"], "--port 0 takes any free port"),
    ):
        second = subprocess.run([*command, "--no-open", *arguments], capture_output=True, text=True)
        assert second.returncode == 1 and message in second.stderr and second.stdout == ""
    with running(studio.shards, "--corrections", str(tmp_path / "other.json")) as other:
        with live(other):
            other.process.send_signal(signal.SIGINT)
            assert other.process.wait(60) == 130
        assert other.process.stdout is not None and other.process.stdout.read() == ""
    assert list(tmp_path.iterdir()) == []
