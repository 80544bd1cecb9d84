"""The studio as its command runs it, on a copy of a drawn data set."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import maskkit


@dataclass
class Studio:
    """A running `maskkit studio`: its address, the file of corrections, the process."""

    address: str
    shards: Path
    file: Path
    process: "subprocess.Popen[str]"

    @property
    def port(self) -> int:
        return urlsplit(self.address).port or 0

    @property
    def token(self) -> str:
        return urlsplit(self.address).path.strip("/")

    def ask(
        self, method: str, path: str, body: Any = None, token: str | None = None, **headers: str
    ) -> tuple[int, Any]:
        """A request below the token, with the headers that a browser would send: status, and JSON or bytes."""
        own = f"127.0.0.1:{self.port}"
        sent = {"Host": own, **({"Origin": f"http://{own}"} if method == "POST" else {})}
        sent |= {name.replace("_", "-").title(): value for name, value in headers.items()}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(
            method, f"/{self.token if token is None else token}/{path}",
            json.dumps(body) if isinstance(body, dict) else body, {key: value for key, value in sent.items() if value},
        )  # fmt: skip
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        kind = answer.headers.get("content-type", "")
        return answer.status, json.loads(content) if kind.startswith("application/json") else content

    def decided(self) -> dict[str, maskkit.Correction]:
        """What stands in the file."""
        return dict(maskkit.read_corrections(self.file).rows)


@contextmanager
def running(shards: Path, *arguments: str) -> Iterator[Studio]:
    """The command, until the block ends."""
    command = [sys.executable, "-c", "from cli.maskkit_command import main; main()", "studio", shards, "--port", "0"]
    with subprocess.Popen([*command, "--no-open", *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Studio(process.stdout.readline().strip(), shards, shards / "corrections.json", process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def studio(drawn_shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio for the tests of a module, which use different rows."""
    with running(Path(shutil.copytree(drawn_shards, tmp_path_factory.mktemp("studio") / "shards"))) as found:
        yield found
