"""What very many images or hours of video cost on so many machines, from rates that are measured.

    python scripts/plan_scale.py measure FOLDER --json rates.json model.weights=FILE.pt
    python scripts/plan_scale.py plan rates.json --images 1000000 --machines 4 --read 200
    python scripts/plan_scale.py plan rates.json --hours 1000 --machines 2 --cores 32
    python scripts/plan_scale.py check rates.json bench_predict.json

``measure`` runs ``segtrack predict`` on two samples of FOLDER (pictures or videos), a small and a
larger one: their difference is what an image or frame takes, what is left is what a command takes.
Words behind are settings, so ``scale.ray=local`` measures Ray's actors and ``device=0`` a GPU. Give
it on one machine of each kind. ``--store ADDRESS`` also measures an object store, ``--mlflow URI``
a tracking server.

``plan`` says how long each resource takes, were it alone; the longest is the bottleneck. What was
neither measured nor given is not known and said so. ``check`` compares with a finished run of
``bench_predict.py`` and fails beyond 20%.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = {"image": (512, 4096), "video": (2, 8)}  # files of the small sample and the larger one
MOST = 1e15  # of anything, so that no product of amounts is beyond what a number holds
NEAR = 0.2  # of the measured time: what a plan may be wrong by


@dataclass(frozen=True)
class Rates:
    """What was measured on one machine.

    Attributes:
        kind: ``image`` or ``video``. unit: what is counted, images or frames.
        cores: of the machine. actors: processes with a network, 1 without Ray.
        fixed_s: of a command, whatever it predicts. per_s: units a second of the whole machine.
        decode_ms: of one core for an image or frame, which also a machine with GPUs needs.
        bytes_in, bytes_out: of a unit, read and written. shard: units of a shard.
        read_mb_s, write_mb_s, requests_s: of the object store; None where none was measured.
        records_s: of the tracking server, and records that a command sends; None likewise.
    """

    kind: str
    cores: int
    actors: int
    fixed_s: float
    per_s: float
    decode_ms: float
    bytes_in: float
    bytes_out: float
    shard: float
    read_mb_s: float | None = None
    write_mb_s: float | None = None
    requests_s: float | None = None
    records_s: float | None = None
    records: int = 0

    @property
    def unit(self) -> str:
        return "images" if self.kind == "image" else "frames"

    def require(self) -> None:
        """Raise ValueError for what no measurement gives."""
        if self.kind not in SAMPLES:
            raise ValueError(f"kind is {self.kind!r}")
        for name, value in asdict(self).items():
            if name == "kind" or (value is None and getattr(Rates, name, 0) is None):
                continue
            least = name in ("fixed_s", "bytes_out", "records")  # may be 0
            if not is_amount(value) and not (least and value == 0):
                raise ValueError(f"{name} is {value!r}")


@dataclass(frozen=True)
class Resource:
    """One thing that work waits for: seconds that it would take alone; None: not known."""

    name: str
    seconds: float | None
    why: str


def main() -> None:
    """``measure``, ``plan`` or ``check``."""
    summary = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(description=summary)
    parts = parser.add_subparsers(dest="part", required=True)
    one = parts.add_parser("measure", help="rates of this machine")
    one.add_argument("folder", type=Path, help="pictures or videos like those that are to come")
    one.add_argument("--kind", choices=tuple(SAMPLES), default="image")
    one.add_argument("--json", type=Path, help="keep the rates here")
    one.add_argument("--store", help="an address of fsspec, such as s3://bucket/try")
    one.add_argument("--mlflow", help="address of a tracking server")
    two = parts.add_parser("plan", help="what so much takes on so many machines")
    two.add_argument("rates", type=Path)
    amount = two.add_mutually_exclusive_group(required=True)
    amount.add_argument("--images", type=whole)
    amount.add_argument("--hours", type=above_0, help="of video")
    two.add_argument("--fps", type=above_0, default=30, help="frames of a second of video (30)")
    two.add_argument("--longest", type=above_0, default=0, help="hours of the longest video")
    two.add_argument("--machines", type=whole, default=1)
    two.add_argument("--cores", type=whole, help="of each, where they are others than measured")
    two.add_argument("--gpus", type=whole, help="of each, where rates are of a machine without")
    two.add_argument("--gpu-rate", type=above_0, help="images or frames a second of one GPU")
    two.add_argument("--network", type=above_0, help="MB/s between a machine and the storage")
    two.add_argument("--read", type=above_0, help="MB/s that the shared storage gives all together")
    two.add_argument("--price", type=above_0, help="of an hour of one machine")
    three = parts.add_parser("check", help="compare with a run of bench_predict.py")
    three.add_argument("rates", type=Path)
    three.add_argument("bench", type=Path)
    given, words = parser.parse_known_args()
    if wrong := [word for word in words if given.part != "measure" or "=" not in word]:
        parser.error(f"{wrong[0]}: no such word; settings of the command go behind measure FOLDER")
    given.words = words
    if given.part == "measure":
        sys.path.insert(0, str(ROOT / "src"))
        from segtrack.base.errors import SegtrackError

        try:
            rates = measure(given)
        except SegtrackError as error:
            parser.error(str(error))
        except KeyboardInterrupt:
            print("interrupted; nothing is kept", file=sys.stderr)
            sys.exit(130)
        text = json.dumps(asdict(rates), indent=1)
        print(text)
        if given.json:
            given.json.write_text(text + "\n", encoding="utf-8")
        return
    try:
        rates = Rates(**json.loads(given.rates.read_text(encoding="utf-8")))
        rates.require()
    except (OSError, ValueError, TypeError) as error:
        parser.error(f"{given.rates}: no rates that `measure --json` has kept ({error})")
    sys.exit(plan(rates, given) if given.part == "plan" else check(rates, given.bench))


def whole(text: str) -> int:
    """A word of the command line that counts something."""
    if not (text.isdecimal() and len(text) < 18 and is_amount(int(text))):
        raise argparse.ArgumentTypeError(f"{text[:40]}: must be a whole number from 1 to {MOST:g}")
    return int(text)


def above_0(text: str) -> float:
    """A word of the command line that is an amount."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not is_amount(value):
        raise argparse.ArgumentTypeError(f"{text[:40]}: must be a number above 0, up to {MOST:g}")
    return value


def is_amount(value: object) -> bool:
    """Whether it is a number that something can be counted or divided by."""
    return isinstance(value, int | float) and value is not True and 0 < value <= MOST


def try_out(given: argparse.Namespace) -> None:
    """Use once what is written to at the end, before minutes are spent on predictions."""
    from segtrack.base.secrets import without_secrets

    tries: dict[str, Callable[[], object]] = {}
    if given.json:
        tries[f"--json {given.json}"] = lambda: writable(given.json)
    if given.store:
        tries[f"--store {given.store}"] = lambda: object_store(given.store, [Path(__file__)])
    if given.mlflow:
        tries[f"--mlflow {given.mlflow}"] = lambda: tracking(given.mlflow, 1)
    for word, use in tries.items():
        try:
            use()
        except Exception as error:  # of whichever library
            text = f"{word}: cannot be used: {' '.join(str(error).split())[:300]}"
            sys.exit(without_secrets(text))  # the address may hold a password


def writable(path: Path) -> None:
    """Raise OSError where a file cannot be written; one that was not there is not there then."""
    there = path.exists()
    path.open("a").close()
    if not there:
        path.unlink()


def measure(given: argparse.Namespace) -> Rates:
    """The rates of this machine, from two samples of the user's own files."""
    from segtrack import dataset

    try_out(given)
    if not given.folder.is_dir():
        sys.exit(f"{given.folder}: no such folder; give one with pictures or videos of yours")
    folder, kind = given.folder.absolute(), given.kind
    small, large = SAMPLES[kind]
    if kind == "image":
        paths = [Path(entry.path) for entry in dataset.picture_files(folder)]
    else:
        paths = [p for e in dataset.files_below(folder) if dataset.is_video(p := Path(e.path))]
    paths.sort()
    if len(paths) < 2 * small:
        sys.exit(f"{folder}: {len(paths)} {kind}s; a measurement takes {2 * small} or more")
    large = min(large, len(paths))
    with tempfile.TemporaryDirectory(prefix="plan-") as made:
        place = Path(made)
        os.environ.setdefault("SEGTRACK_HOME", str(place / "home"))
        few, many = (sample(paths, count, place / f"{count}") for count in (small, large))
        predict(few, kind, given.words, place / "before")  # which backend is fastest, once
        first, second = (predict(at, kind, given.words, place / "run") for at in (few, many))
        if second.units <= first.units or second.seconds <= first.seconds:
            sys.exit(
                f"{second.units} images or frames took {second.seconds:.1f} s, {first.units} took "
                f"{first.seconds:.1f}: no rate follows; measure while nothing else computes"
            )
        each = (second.seconds - first.seconds) / (second.units - first.units)
        decode = decode_ms(sorted(many.iterdir())[: 256 if kind == "image" else 1], kind)
        store = object_store(given.store, sorted(many.iterdir())) if given.store else {}
    size = sum(path.stat().st_size for path in paths) / len(paths)
    per_file = second.units / large
    database = tracking(given.mlflow, second.records) if given.mlflow else {}
    return Rates(
        kind=kind,
        cores=os.cpu_count() or 1,
        actors=second.actors,
        fixed_s=max(0.0, first.seconds - each * first.units),
        per_s=1 / each,
        decode_ms=decode,
        bytes_in=size / per_file,
        bytes_out=second.written / second.units,
        shard=second.units / second.shards if kind == "video" else second.shard,
        records=second.records,
        **store,
        **database,
    )


@dataclass(frozen=True)
class Ran:
    """A command that ended."""

    seconds: float
    units: int
    actors: int
    shards: int
    shard: int
    written: int
    records: int


def sample(paths: Sequence[Path], count: int, folder: Path) -> Path:
    """So many files, evenly out of all, as copies: links would be on another disk."""
    folder.mkdir()
    for number in range(count):
        path = paths[number * len(paths) // count]
        shutil.copyfile(path, folder / f"{number:05d}{path.suffix}")
    return folder


def predict(folder: Path, kind: str, words: Sequence[str], place: Path) -> Ran:
    """The command as it is typed, with an empty store."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    source = (
        ["dataset=images", f"dataset.path={folder}"] if kind == "image" else [f"video={folder}"]
    )
    command = [sys.executable, str(ROOT / "src" / "run.py"), "predict", *source, *words]
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    seconds = time.perf_counter() - begin
    if done.returncode:
        sys.exit(done.stdout.decode(errors="replace"))
    (result,) = (place / ".segtrack" / "results" / "shards").iterdir()
    rows = [json.loads(line) for line in (result / "metrics.jsonl").read_text("utf-8").splitlines()]
    numbers = {row["name"]: row["value"] for row in rows}
    manifest = json.loads((result / "shards.json").read_text(encoding="utf-8"))
    call = json.loads((result / "stage.json").read_text(encoding="utf-8"))
    print(f"{folder.name} {kind}s in {seconds:.1f} s", file=sys.stderr)
    return Ran(
        seconds,
        manifest["frames"] or manifest["files"] - manifest["skipped"],
        int(numbers.get("predict/actors", 1)),
        len(manifest["shards"]),
        max(one["files"] for one in manifest["shards"]),
        sum(path.stat().st_size for path in result.rglob("*.parquet")),
        len(rows) + len(json.dumps(call["settings"]).split(",")),
    )


def decode_ms(paths: Sequence[Path], kind: str) -> float:
    """What one core takes to read and decode an image or a frame."""
    from segtrack import dataset

    count, begin = 0, time.process_time()
    for path in paths:
        if kind == "image":
            dataset.read_image_file(str(path), decode=False)
            dataset.read_pixels(path)
            count += 1
        else:
            count += sum(1 for _ in dataset.read_frames(dataset.probe_video(path)))
    return 1000 * (time.process_time() - begin) / count


def object_store(address: str, paths: Sequence[Path]) -> dict[str, float]:
    """MB/s and requests a second of 200 files, 16 at a time, which are gone afterwards."""
    import fsspec

    files, root = fsspec.core.url_to_fs(f"{address.rstrip('/')}/plan-{uuid.uuid4().hex[:8]}")
    paths = paths[:200]
    size = sum(path.stat().st_size for path in paths) / 1e6
    far = [f"{root}/{path.name}" for path in paths]
    with tempfile.TemporaryDirectory() as back:
        begin = time.perf_counter()
        files.put([str(path) for path in paths], far, batch_size=16)
        sent = time.perf_counter()
        files.get(far, [f"{back}/{path.name}" for path in paths], batch_size=16)
        got = time.perf_counter()
    files.rm(root, recursive=True)
    return {
        "write_mb_s": size / (sent - begin),
        "read_mb_s": size / (got - sent),
        "requests_s": len(paths) / (got - sent),
    }


def tracking(uri: str, records: int) -> dict[str, float]:
    """Records a second that a tracking server takes, in a run that is deleted afterwards."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")  # else minutes, of nobody there
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    client = MlflowClient(uri)
    found = client.get_experiment_by_name("Default")
    run = client.create_run(found.experiment_id if found else "0")
    try:
        begin, rounds = time.perf_counter(), 5
        for step in range(rounds):
            metrics = [Metric(f"m{n}", 1.0, 0, step) for n in range(records)]
            client.log_batch(run.info.run_id, metrics=metrics)
        return {"records_s": rounds * records / (time.perf_counter() - begin)}
    finally:
        client.delete_run(run.info.run_id)


def resources(rates: Rates, count: float, given: argparse.Namespace) -> list[Resource]:
    """How long each would take alone, for ``count`` images or frames."""
    machines, unit = given.machines, rates.unit
    cores = given.cores or rates.cores
    moved = (rates.bytes_in + rates.bytes_out) * count / 1e6
    found = []
    if given.gpus:
        if not given.gpu_rate:
            sys.exit(
                "--gpus: also give --gpu-rate, as bench_gpu.py or measure on such a machine has it"
            )
        actors = machines * given.gpus
        seconds = spread(rates, count, actors, given.gpu_rate)
        found.append(Resource("GPUs", seconds, f"{actors} with {given.gpu_rate:g} {unit}/s each"))
        rate = machines * cores * 1000 / rates.decode_ms
        why = f"{machines * cores} cores, {rates.decode_ms:.2f} ms for each {unit[:-1]}"
        found.append(Resource("decode", count / rate, why))
    else:
        # More cores are more processes: one does not grow with its machine.
        actors = max(1, round(machines * rates.actors * cores / rates.cores))
        rate = rates.per_s / rates.actors
        share = rates.decode_ms * rates.per_s / 1000 / rates.cores
        why = f"{actors} processes with {rate:.1f} {unit}/s each; decoding is {share:.0%} of it"
        found.append(Resource("compute", spread(rates, count, actors, rate), why))
    if given.longest:
        alone = given.longest * 3600 * given.fps / (given.gpu_rate or rate)
        found.append(Resource("longest video", alone, "one process does it"))
    network, read = given.network, given.read or rates.read_mb_s
    why = f"{moved:.0f} MB, {network:g} MB/s for each machine" if network else "--network MB/s"
    found.append(Resource("network", moved / network / machines if network else None, why))
    loaded = rates.bytes_in * count / 1e6
    why = f"{loaded:.0f} MB read at {read:g} MB/s" if read else "--read MB/s, or measure --store"
    found.append(Resource("object store, reading", loaded / read if read else None, why))
    write, made = rates.write_mb_s, rates.bytes_out * count / 1e6
    why = f"{made:.0f} MB written at {write:.0f} MB/s" if write else "measure --store"
    found.append(Resource("object store, writing", made / write if write else None, why))
    each = rates.records_s
    why = f"{rates.records} records at {each:.0f}/s, once" if each else "measure --mlflow"
    found.append(Resource("database", rates.records / each if each else None, why))
    return found


def spread(rates: Rates, count: float, actors: int, rate: float) -> float:
    """Seconds until the last of ``actors`` is ready, each of which does whole shards."""
    shards = count / rates.shard
    if actors == 1:
        return count / rate
    return max(count / actors, math.ceil(shards / actors) * min(rates.shard, count)) / rate


def expected(rates: Rates, found: Sequence[Resource]) -> float:
    """Seconds of the whole command: what is slowest, since all of them run at once."""
    return rates.fixed_s + max(one.seconds for one in found if one.seconds is not None)


def plan(rates: Rates, given: argparse.Namespace) -> int:
    """Print it."""
    wanted = "video" if given.hours else "image"
    if rates.kind != wanted:
        sys.exit(f"{given.rates}: these rates are of {rates.kind}s; measure --kind {wanted}")
    count = given.images or given.hours * 3600 * given.fps
    found = resources(rates, count, given)
    total = expected(rates, found)
    known = [one for one in found if one.seconds is not None]
    slowest = max(known, key=lambda one: one.seconds or 0)
    for one in found:
        mark = "  <- the bottleneck" if one is slowest else ""
        seconds = "not known" if one.seconds is None else told(one.seconds)
        print(f"{one.name:22} {seconds:>10}  {one.why}{mark}")
    print(f"{'beginning and end':22} {told(rates.fixed_s):>10}  of the command")
    print(
        f"{'together':22} {told(total):>10}  {count:,.0f} {rates.unit}, machines: {given.machines}"
    )
    print(f"{'tables':22} {rates.bytes_out * count / 1e9:7.1f} GB")
    hours = total / 3600 * given.machines
    price = f", {hours * given.price:.2f} at {given.price:g} an hour" if given.price else ""
    print(f"{'machine hours':22} {hours:10.2f}{price}")
    return 0


def check(rates: Rates, bench: Path) -> int:
    """Whether a finished run took what the plan says, within ``NEAR``."""
    took = "plain_s" if rates.actors == 1 else "ray_s"
    try:
        content = json.loads(bench.read_text(encoding="utf-8"))[f"{rates.kind}s"]
        if wrong := [name for name in ("count", took) if not is_amount(content[name])]:
            raise ValueError(f"{wrong[0]} is {content[wrong[0]]!r}")
    except (OSError, ValueError, TypeError, KeyError) as error:
        sys.exit(
            f"{bench}: no run of {rates.kind}s that bench_predict.py --json has kept ({error})"
        )
    alone = argparse.Namespace(
        machines=1, cores=None, gpus=None, gpu_rate=None, longest=0, network=None, read=None, fps=30
    )
    seconds = expected(rates, resources(rates, content["count"], alone))
    measured = content[took]
    off = seconds / measured - 1
    print(
        f"{content['count']:,} {rates.unit}: planned {seconds:.1f} s, measured {measured:.1f} s, "
        f"{off:+.1%} ({'within' if abs(off) <= NEAR else 'beyond'} {NEAR:.0%})"
    )
    return 0 if abs(off) <= NEAR else 1


def told(seconds: float) -> str:
    """As people say it."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


if __name__ == "__main__":
    main()
