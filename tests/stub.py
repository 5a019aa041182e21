"""Stands in for a stage in test_wiring.py: hashes what the stage depends on into all that it writes.

Usage: WIRING_LOG=FILE [WIRING_KILL=STAGE] python stub.py --deps PATH ... --params SECTION ... --outs PATH ...
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import time
from functools import reduce
from pathlib import Path

import yaml


def content(path: Path) -> bytes:
    """Give what a dep says; as the real parser, drop comments of a procedure or a Mermaid chart."""
    if path.is_dir():
        return b"".join(f.name.encode() + content(f) for f in sorted(path.rglob("*")) if f.is_file())
    return b"".join(line for line in path.read_bytes().splitlines(True) if not line.startswith((b"#", b"%%")))


def main() -> None:
    """Hash, write, note the stage's name in the log."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--deps", nargs="*", type=Path)
    parser.add_argument("--params", nargs="*")
    parser.add_argument("--outs", nargs="*", type=Path)
    args = parser.parse_args()
    stage = os.environ["DVC_STAGE"].removeprefix("dvc.yaml:")
    if stage == os.environ.get("WIRING_KILL"):  # as when the machine goes down: nobody can clean up
        os.killpg(0, signal.SIGKILL)
    params = yaml.safe_load(Path("params.yaml").read_text())
    values = [reduce(lambda found, key: found[key], section.split("."), params) for section in args.params]
    digest = hashlib.sha256(json.dumps(values).encode())
    for dep in args.deps:
        digest.update(content(dep))
    for out in args.outs:
        files = [out] if out.suffix in (".json", ".jsonl", ".md") else [out / "train.jsonl", out / "eval.jsonl"]
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            # A real timing is another one each time.
            value = {"seconds": time.time()} if "timings" in file.parts else {"sha256": digest.hexdigest()}
            file.write_text(json.dumps(value))
    with Path(os.environ["WIRING_LOG"]).open("a") as log:
        log.write(stage + "\n")


if __name__ == "__main__":
    main()
