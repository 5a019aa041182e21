"""Serve a compiled model behind an OpenAI-compatible API on this machine until Ctrl+C."""

import argparse
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

from flowc.params import load
from flowc.records import run_stage
from flowc.server import ServeParams, serve


def main() -> None:
    """Start the server, say where it is, and wait."""
    parser = argparse.ArgumentParser(prog="python -m scripts.serve", description=__doc__)
    parser.add_argument("model", type=Path, help="the compiled model's folder")
    parser.add_argument("--port", type=int, default=0, help="where it listens on 127.0.0.1; without it, a free port")
    args = parser.parse_args()
    try:
        with serve(args.model, load("serve", ServeParams), port=args.port) as server:
            print(f"{server.model} at {server.base_url}; Ctrl+C ends it", flush=True)
            where = urlsplit(server.base_url)
            while listens(str(where.hostname), int(where.port or 80)):
                time.sleep(2)
    except KeyboardInterrupt:
        print("stopped")


def listens(host: str, port: int) -> bool:
    """Whether a process accepts connections there."""
    try:
        socket.create_connection((host, port)).close()
    except ConnectionRefusedError:
        return False
    return True


if __name__ == "__main__":
    run_stage(main)
