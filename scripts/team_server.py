"""A tracking server as a team runs it, from this machine's own programs: PostgreSQL, S3, MLflow.

    python scripts/team_server.py FOLDER
    python scripts/team_server.py FOLDER --artifacts s3://BUCKET --endpoint https://S3.EXAMPLE.ORG
    python scripts/team_server.py FOLDER --database sqlite     # where there is no PostgreSQL

It prints what to type, and ends with Ctrl-C. The database is kept in FOLDER/postgres, its password,
which is made up at first, in FOLDER/pgpass, readable by you alone; the logs lie beside them.
Without --artifacts an S3 server in memory (moto) stands in, whose files are gone at the end: give a
bucket for what is to last, with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment.
PostgreSQL refuses root, so that with root it runs as the system's user postgres, who must reach
FOLDER.

For a server that lasts: docs/server.md and deploy/compose.yaml.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

USER = NAME = "mlflow"  # of the database
BUCKET = "mlflow"
MOST_WORKERS = 64
SECONDS = 180.0  # that each of the three has to answer; a busy machine takes a minute
HERE = "127.0.0.1"
ANY = "0.0.0.0"  # to listen at all addresses of the machine
# MLflow's own, which it takes no more once it is given others: this machine and private networks.
ALLOWED = [
    *(f"{name}{port}" for name in ("localhost", HERE, "0.0.0.0") for port in ("", ":*")),
    *("10.*", "192.168.*", *(f"172.{number}.*" for number in range(16, 32))),
]


class CannotStart(Exception):
    """What was wrong, and what to do."""


class Ended(Exception):
    """It was asked to end while it started."""


@dataclass
class TeamServer:
    """PostgreSQL, S3 and MLflow of one folder; ``with`` starts and ends them.

    Attributes:
        folder: where all of it lies. port: of MLflow, 0 for a free one. host: that it listens at.
        database: postgres or sqlite. artifacts: s3://...; None: a bucket of a server in memory.
        endpoint: of the S3 server; None: Amazon's. ended: set, it starts no further.
    """

    folder: Path
    port: int = 0
    host: str = HERE
    workers: int = 2
    database: str = "postgres"
    artifacts: str | None = None
    endpoint: str | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _database_port: int = 0

    def __enter__(self) -> TeamServer:
        self.folder = self.folder.absolute()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = "is a file" if self.folder.is_file() else f"cannot be made: {error.strerror}"
            raise CannotStart(f"{self.folder}: {why}; choose another folder") from error
        self.port = self.port or free_port()
        if self.artifacts is not None:
            require_bucket(self.artifacts, self.endpoint)
        try:
            if self.database == "postgres":
                self._start_postgres()
            if self.artifacts is None:
                self._start_s3()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(list(self._running)):  # MLflow first, which uses the others
            self.end(name)

    @property
    def uri(self) -> str:
        """For ``mlflow.uri``."""
        return f"http://{socket.gethostname() if self.host == ANY else self.host}:{self.port}"

    @property
    def store_uri(self) -> str:
        """Where MLflow keeps runs: without the password, which the driver finds in ``pgpass``."""
        if self.database == "sqlite":
            return f"sqlite:///{self.folder / 'mlflow.db'}"
        return f"postgresql+psycopg://{USER}@{HERE}:{self._database_port}/{NAME}"

    @property
    def environment(self) -> dict[str, str]:
        """Of MLflow's server: passwords are here, where other users of the machine see none."""
        found = {**os.environ, "PGPASSFILE": str(self.folder / "pgpass")}
        found["MLFLOW_DISABLE_TELEMETRY"] = "true"
        found["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # eight processes for language models
        given = found.get("MLFLOW_SERVER_ALLOWED_HOSTS") or ",".join(ALLOWED)
        asked = self.uri.removeprefix("http://")  # MLflow refuses a name that it was not told
        found["MLFLOW_SERVER_ALLOWED_HOSTS"] = f"{given},{asked}"
        if self.endpoint is not None:
            found["MLFLOW_S3_ENDPOINT_URL"] = self.endpoint
        if "s3" in self._running:
            found["AWS_ACCESS_KEY_ID"] = found["AWS_SECRET_ACCESS_KEY"] = "moto"
            found.setdefault("AWS_DEFAULT_REGION", "us-east-1")
        return found

    def start(self) -> None:
        """Start MLflow, which may have been ended or killed before."""
        words = [
            *(sys.executable, "-m", "mlflow", "server", "--host", self.host),
            *("--port", str(self.port), "--workers", str(self.workers)),
            *("--backend-store-uri", self.store_uri),
            *("--artifacts-destination", self.artifacts or f"s3://{BUCKET}"),
        ]
        self._start("mlflow", words, env=self.environment)
        at = HERE if self.host == ANY else self.host
        self._wait("mlflow", lambda: answers(f"http://{at}:{self.port}/health"))

    def signal(self, number: int, name: str = "mlflow") -> None:
        """Send a signal to all processes of one of the three."""
        os.killpg(self._running[name].pid, number)

    def end(self, name: str = "mlflow", number: int | None = None) -> None:
        """End one of the three and wait for it; by default as it wants to be ended."""
        process = self._running.pop(name)
        # PostgreSQL waits for its clients on SIGTERM, and puts them out on SIGINT.
        asked = number or (signal.SIGINT if name == "postgres" else signal.SIGTERM)
        for one in (asked, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, one)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
                break
        if name == "mlflow":  # a worker may outlive the process that started it
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _start_postgres(self) -> None:
        for program in ("initdb", "postgres"):
            if shutil.which(program) is None:
                raise CannotStart(
                    f"{program} is not on PATH; install PostgreSQL (Debian keeps its programs in "
                    "/usr/lib/postgresql/*/bin), or give --database sqlite"
                )
        as_user = system_user(self.folder)
        data, new = self.folder / "postgres", not (self.folder / "postgres" / "PG_VERSION").exists()
        if new:
            self._make_database(data, as_user)
        if process := running_at(data):  # whose password file is not to be written over
            raise CannotStart(
                f"{self.folder}: a PostgreSQL is at it, process {process}: another team_server.py "
                f"has this folder; what a killed one left behind ends with: kill -INT {process}"
            )
        self._database_port = free_port()
        words = [
            *("postgres", "-D", str(data), "-h", HERE, "-p", str(self._database_port)),
            *("-c", "unix_socket_directories="),
        ]
        self._start("postgres", words, **as_user)
        password = (self.folder / "postgres.secret").read_text()
        write_secret(self.folder / "pgpass", f"{HERE}:{self._database_port}:*:{USER}:{password}\n")
        self._wait("postgres", lambda: self._reached(new))

    def _make_database(self, data: Path, as_user: dict[str, object]) -> None:
        secret = self.folder / "postgres.secret"
        write_secret(secret, secrets.token_urlsafe(24))
        data.mkdir(mode=0o700, exist_ok=True)
        given = data.with_name("postgres.initial")  # that its user can read, for a moment
        write_secret(given, secret.read_text())
        if as_user:
            for path in (data, given):
                shutil.chown(path, as_user["user"], as_user["group"])  # type: ignore[call-overload]
        try:
            done = subprocess.run(
                [
                    *("initdb", "-D", str(data), "-U", USER, "--encoding=UTF8", "--no-locale"),
                    *("--auth=scram-sha-256", f"--pwfile={given}"),
                ],
                cwd="/", capture_output=True, text=True, **as_user,
            )  # type: ignore[call-overload]  # fmt: skip
        finally:
            given.unlink()
        if done.returncode:
            shutil.rmtree(data, ignore_errors=True)
            why = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise CannotStart(f"initdb cannot make {data}: {why}")

    def _reached(self, new: bool) -> bool:
        import psycopg

        passfile = str(self.folder / "pgpass")
        given = {"host": HERE, "port": self._database_port, "user": USER, "passfile": passfile}
        try:
            with psycopg.connect(dbname="postgres", autocommit=True, **given) as database:  # type: ignore[arg-type]
                found = database.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME])
                if found.fetchone() is None:
                    database.execute(f"CREATE DATABASE {NAME}")
            return True
        except psycopg.OperationalError:
            return False

    def _start_s3(self) -> None:
        port = free_port()
        self.endpoint = f"http://{HERE}:{port}"
        self._start("s3", [sys.executable, "-m", "moto.server", "-H", HERE, "-p", str(port)])
        self._wait("s3", lambda: answers(f"{self.endpoint}/moto-api/"))
        # Anybody may make a bucket there, without a signature.
        asked = urllib.request.Request(f"{self.endpoint}/{BUCKET}", method="PUT")
        with urllib.request.urlopen(asked, timeout=SECONDS):
            pass

    def _start(self, name: str, words: list[str], **more: object) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            # A group of its own: a terminal's Ctrl-C reaches us alone, who end them in order.
            self._running[name] = subprocess.Popen(
                words, cwd=self.folder if not more.get("user") else "/", stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True, **more,
            )  # type: ignore[call-overload]  # fmt: skip

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        until = time.monotonic() + SECONDS
        while not ready():
            log = self.folder / f"{name}.log"
            if self._running[name].poll() is not None:
                lines = log.read_text(errors="replace").strip().splitlines()
                raise CannotStart(f"{name} ended: {(lines or ['it says nothing'])[-1]} ({log})")
            if time.monotonic() > until:
                raise CannotStart(f"{name} does not answer within {SECONDS:g} s; see {log}")
            if self.ended.wait(0.1):
                raise Ended


def main() -> int:
    """Exit code 0 after Ctrl-C; 1 where something cannot be started."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    parser.add_argument("--port", type=port, default=5000, help="of MLflow; default: %(default)s")
    parser.add_argument("--host", default=HERE, help="0.0.0.0: other machines reach it too")
    parser.add_argument("--workers", type=workers, default=2, help="processes of MLflow")
    parser.add_argument("--database", choices=("postgres", "sqlite"), default="postgres")
    parser.add_argument("--artifacts", metavar="s3://BUCKET", help="default: in memory")
    parser.add_argument("--endpoint", metavar="URL", help="of the S3 server; default: Amazon's")
    asked = parser.parse_args()
    if asked.endpoint and not asked.artifacts:
        parser.error(f"--endpoint {asked.endpoint}: say what lies there: --artifacts s3://BUCKET")
    if why := taken(asked.host, asked.port):
        print(f"team_server.py: --host {asked.host} --port {asked.port}: {why}", file=sys.stderr)
        return 1
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        with TeamServer(**vars(asked), ended=ended) as server:
            print(f"MLflow answers at {server.uri}; its database is {server.store_uri}")
            print(f"artifacts: {server.artifacts or 'in memory, gone at the end'}")
            print(
                f"\n    segtrack mlflow=server mlflow.uri={server.uri}\n\nCtrl-C ends it",
                flush=True,
            )
            ended.wait()
    except Ended:
        pass
    except CannotStart as error:
        print(f"team_server.py: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # a file where a folder belongs, or the other way; a full disk
        why = f"{error.filename or asked.folder}: {error.strerror or error}; choose another folder"
        print(f"team_server.py: {why}", file=sys.stderr)
        return 1
    print("ended")
    return 0


def system_user(folder: Path) -> dict[str, object]:
    """How a process is started that must not be root's, for ``subprocess``; empty: as it is.

    Raises:
        CannotStart: there is no such user, or it cannot reach the folder.
    """
    if os.name == "nt" or os.geteuid() != 0:
        return {}
    import pwd

    try:
        user = pwd.getpwnam("postgres")
    except KeyError as error:
        raise CannotStart(
            "PostgreSQL refuses root, and there is no user postgres; be another user"
        ) from error
    as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}
    reached = subprocess.run(["test", "-x", str(folder)], cwd="/", check=False, **as_user)  # type: ignore[call-overload]
    if reached.returncode:
        raise CannotStart(
            f"{folder}: the user postgres, as whom PostgreSQL runs for root, cannot reach it; "
            "choose another folder, or be another user"
        )
    return as_user


def write_secret(path: Path, text: str) -> None:
    """Write a file that nobody else can read, not even at first."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def answers(url: str) -> bool:
    """Whether an address answers well."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def free_port() -> int:
    """One that nothing listens at."""
    with socket.create_server((HERE, 0)) as server:
        return int(server.getsockname()[1])


def port(text: str) -> int:
    """A word of the command line that is a port; 0: one that is free."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text}: must be a number from 0 to 65535")
    return int(text)


def workers(text: str) -> int:
    """A word of the command line that counts processes."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"{text}: must be a number from 1 to {MOST_WORKERS}")
    return int(text)


def taken(host: str, number: int) -> str:
    """Why nothing can listen at an address; empty where it can."""
    if not host:
        return f"no address; {HERE} is this machine alone, {ANY} lets others reach it"
    try:
        socket.create_server((host, number)).close()
    except (OSError, ValueError) as error:  # what is no name of a machine fails as a text
        return f"cannot listen there ({getattr(error, 'strerror', None) or error}); give another"
    return ""


def running_at(data: Path) -> str:
    """The process of the PostgreSQL that has a folder; empty where none answers."""
    try:
        process, _, _, number = (data / "postmaster.pid").read_text().splitlines()[:4]
        socket.create_connection((HERE, int(number)), timeout=5).close()
    except (OSError, ValueError):
        return ""
    return process


def require_bucket(artifacts: str, endpoint: str | None) -> None:
    """Write a file where artifacts are to lie: a server without it would lose all of them.

    Raises:
        CannotStart: it cannot be written.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    given = f"--artifacts {artifacts}"
    scheme, _, place = artifacts.partition("://")
    name, _, folder = place.partition("/")
    if scheme != "s3" or not name:
        raise CannotStart(f"{given}: must be s3://BUCKET or s3://BUCKET/FOLDER")
    times = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
    try:
        client = boto3.client("s3", endpoint_url=endpoint, config=times)
        key = f"{folder.strip('/')}/.team_server".lstrip("/")
        client.put_object(Bucket=name, Key=key)
        # Removed where it may be: MLflow needs no right to.
        with contextlib.suppress(BotoCoreError, ClientError):
            client.delete_object(Bucket=name, Key=key)
    except (BotoCoreError, ClientError, ValueError) as error:
        raise CannotStart(
            f"{given}: cannot write there ({error}); mend bucket, --endpoint or credentials"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
