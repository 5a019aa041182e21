"""Runs a command and kills its whole process group when whoever started this is gone, even by SIGKILL.

vLLM's engine process outlives its API server when that is killed (seen with 0.32.0), so a death signal for
the server alone would not do. Run as `python guard.py COMMAND...` in a session of its own, with standard
input a pipe that the parent holds open: the end of that pipe is the parent's death. Only the standard
library, to start at once.
"""

import os
import signal
import subprocess
import sys
import threading

_GRACE_SECONDS = 10


def main() -> None:
    """Run the command until it ends or standard input does; nothing of the process group is left then."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    stopping = threading.Event()

    def watch() -> None:
        sys.stdin.buffer.read()
        stopping.set()
        child.terminate()

    threading.Thread(target=watch, daemon=True).start()
    while True:
        try:
            child.wait(_GRACE_SECONDS if stopping.is_set() else 0.2)
            break
        except subprocess.TimeoutExpired:
            if stopping.is_set():
                break
    if child.returncode is not None and child.returncode < 0 and not stopping.is_set():
        print(f"\nError: killed by signal {-child.returncode}", flush=True)
    # This process belongs to the group and ends here as well: what it has to say stands in the output.
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
