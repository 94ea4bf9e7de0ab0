"""An S3 server on this machine (moto), that can be told to be slow, to fail and to hang."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

KEY, SECRET = "segtrack-key-1", "segtrack-secret-1"


class Server:
    """A running server.

    Attributes:
        url: of the server. fault: is asked before each request, and may answer it with a status, or
            take its time. requests: method and path of each.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self.url = ""
        self.fault: Callable[[str, str], int | None] = lambda method, path: None
        self.requests: list[tuple[str, str]] = []

    def __call__(self, environ: Any, start: Any) -> Any:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.requests.append((method, path))
        if (status := self.fault(method, path)) is None:
            return self._app(environ, start)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        code = "AccessDenied" if status == 403 else "InternalError"
        body = f"<Error><Code>{code}</Code><Message>it fails</Message></Error>".encode()
        facts = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
        start(f"{status} Failing", facts)
        return [] if method == "HEAD" else [body]

    def make(self, bucket: str) -> str:
        """A new bucket: its address."""
        import boto3

        boto3.client("s3").create_bucket(Bucket=bucket)
        return f"s3://{bucket}/segtrack"


@contextmanager
def running() -> Iterator[Server]:
    """A server on a free port of the loopback interface; skips the test where there is none."""
    pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'segtrack[s3]'")
    pytest.importorskip("flask_cors", reason="moto's server is not installed")
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, *_: Any) -> None:
            pass

    server = Server(DomainDispatcherApplication(create_backend_app))
    http = make_server("127.0.0.1", 0, server, threaded=True, request_handler=Quiet)
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()


def variables(server: Server) -> dict[str, str]:
    """The environment of whoever uses the server."""
    return {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nowhere",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    }


def hang(seconds: float) -> Callable[[str, str], int | None]:
    """A fault: each answer takes so long."""

    def fault(method: str, path: str) -> int | None:
        time.sleep(seconds)
        return None

    return fault
