"""Mapping 13 fields with coercions, messages per second on one core, against the engine of Segment's own destinations.

    python -m benchmarks.peer

Both map an identify call of tests/samples/segment as a few hundred people send it, parsed beforehand. The other engine comes from npm, pinned, into a
cache folder of the project (`.cache`). What is measured there is what each destination action does before its own code runs:
mapping, then coercion and check by schema (benchmarks/peer.mjs).
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.rows import Row, missing

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parent / "tests" / "samples" / "segment" / "01_identify_known_user.json"
PEOPLE = 500
PACKAGES = {"@segment/actions-core": "3.170.0", "liquidjs": "10.30.1"}
GOAL = 2.0
FIELDS = 13
NAME = f"mapping with coercions, {FIELDS} fields"
WARM_UPS, ROUNDS, SECONDS = 1, 5, 1.0
RECEIVED_AT = 1_773_500_000_000_000  # shortly after the sample was sent


def run() -> list[Row]:
    """One row; about 15 seconds, and as long again the first time, when packages are installed."""
    if not (shutil.which("node") and shutil.which("npm")):
        return [missing(NAME, "node and npm are not on this machine; this row alone needs them.")]
    rows = samples()
    work = _compiled()
    with _peer(rows, _installed()) as peer:
        _compare(work(rows[0]), peer.first)
        for _ in range(WARM_UPS):
            _rate(work, rows)
            peer.rate()
        rates = [(_rate(work, rows), peer.rate()) for _ in range(ROUNDS)]  # in turns: what else runs here slows both
    value, against = (statistics.median(side) for side in zip(*rates, strict=True))
    version = PACKAGES["@segment/actions-core"]
    detail = f"{value:,.0f} messages/s by the hub; {against:,.0f}/s by actions-core {version} on node"
    return [Row(NAME, value, against, value / against, GOAL, detail)]


def samples() -> list[dict[str, Any]]:
    """The sample that carries all the fields, as PEOPLE different people send it: no value comes again and again."""
    sample = SAMPLE.read_bytes()
    found = []
    for number in range(PEOPLE):
        message: dict[str, Any] = json.loads(sample)
        moment = f"2026-03-14T09:{number // 60 % 60:02}:{number % 60:02}.{number % 1000:03}Z"
        message |= {"userId": f"cust_{number}", "messageId": f"seg-{number}"}
        message |= dict.fromkeys(("timestamp", "originalTimestamp", "sentAt", "receivedAt"), moment)
        message["traits"] |= {
            "email": f"ada.{number}@example.com",
            "lastName": f"Quill {number}",
            "birthday": f"{1940 + number % 60}-{1 + number % 12:02}-{1 + number % 28:02}",
            "createdAt": f"2021-05-{1 + number % 28:02}T08:{number % 60:02}:00.000Z",
            "points": str(number) if number % 2 else number,
            "newsletter": (True, "true", "false")[number % 3],
        }
        found.append(message)
    return found


# ── the hub ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _compiled() -> Callable[[dict[str, Any]], Any]:
    """What maps one message."""
    from hub.mapping.inbound import compile_inbound
    from hub.mapping.versions.files import Folders, read_file

    document = read_file(HERE / "peer.yaml", Folders()).document
    mapping = compile_inbound(document, connection_id="01J00000000000000000000001", options={})
    return lambda row: mapping.apply(row, message_id="m", received_at=RECEIVED_AT)


def _rate(work: Callable[[dict[str, Any]], Any], rows: list[dict[str, Any]]) -> float:
    """Messages per second over SECONDS; the clock is read once per pass over the rows."""
    done, began = 0, time.perf_counter()
    while (now := time.perf_counter()) - began < SECONDS:
        for row in rows:
            work(row)
        done += len(rows)
    return done / (now - began)


# ── the other engine ─────────────────────────────────────────────────────────────────────────────────────────────


def _installed() -> Path:
    """The folder with the pinned packages, installed on first use. Raises RuntimeError with npm's last words."""
    cache = HERE.parent / ".cache"
    folder = cache / "-".join(["peer", *PACKAGES.values()])
    if (folder / "complete").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [f"{name}@{version}" for name, version in PACKAGES.items()]
    command = ["npm", "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund"]
    command += ["--cache", str(cache / "npm"), *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise RuntimeError(f"npm could not install {' and '.join(wanted)}: {said[-1] if said else 'it said nothing'}")
    (folder / "complete").touch()
    return folder


class Peer:
    """The other engine's process, asked line by line."""

    def __init__(self, process: subprocess.Popen[str], rows: list[dict[str, Any]]) -> None:
        self._process = process
        self.first: dict[str, Any] = self._ask(json.dumps({"rows": rows, "seconds": SECONDS}))

    def rate(self) -> float:
        """Messages per second in one more round."""
        return float(self._ask("again"))

    def _ask(self, line: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("node ended early; what it said stands above.")
        return json.loads(answer)


@contextmanager
def _peer(rows: list[dict[str, Any]], folder: Path) -> Iterator[Peer]:
    command = ["node", str(HERE / "peer.mjs"), str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Peer(process, rows)
    finally:
        process.terminate()
        process.wait(10)


def _compare(change: Any, theirs: dict[str, Any]) -> None:
    """Both must have mapped the same: the figures mean nothing otherwise."""
    ours = {"source_id": change.source_id, **change.fields}
    plain = {name.rpartition(".")[2]: value for name, value in ours.items()}
    differ = sorted(name for name in plain.keys() | theirs.keys() if not _same(plain.get(name), theirs.get(name)))
    if differ or len(plain) != FIELDS:
        raise RuntimeError(f"The two engines mapped {', '.join(differ) or 'another number of fields'} differently.")


def _same(mine: Any, other: Any) -> bool:
    """Times may be written differently."""
    if isinstance(mine, str) and isinstance(other, str) and mine.endswith("Z"):
        return datetime.fromisoformat(mine) == datetime.fromisoformat(other)
    return bool(mine == other)


if __name__ == "__main__":
    for row in run():
        print(f"{row.name}: {row.verdict}; {row.detail}")
