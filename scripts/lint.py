"""List all that is wrong with procedures, and what makes them hard to learn: one finding a line.

Usage: python -m scripts.lint FOLDER [PROCEDURE ...]; without names all procedures under `sources` and all others in the
folder. The exit status is 1 when there are errors.
"""

import argparse
import sys
from pathlib import Path

from flowc.lint import Told, told_of
from flowc.params import load_value
from flowc.parse import Mistakes
from flowc.read_any import names_in, origin_in, read_draft
from flowc.records import UserError, run_stage


def main() -> None:
    """Print errors and warnings of each procedure, then their numbers."""
    parser = argparse.ArgumentParser(prog="python -m scripts.lint", description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder of the procedures' files")
    parser.add_argument(
        "procedures",
        nargs="*",
        help="names under `sources`, or files of the folder without their suffix; without one, all",
    )
    args = parser.parse_args()
    sources = load_value("sources", dict)
    failed = False
    for name in args.procedures or names_in(args.folder, sources):
        errors, warnings, whole = findings(args.folder, sources, name)
        more = "" if whole else "; lint again when mended, for it could not look further"
        print(*errors, *warnings, f"{name}: {len(errors)} errors, {len(warnings)} warnings{more}", sep="\n")
        failed = failed or bool(errors)
    if failed:
        sys.exit(1)


def findings(folder: Path, sources: dict[str, object], name: str) -> Told:
    """Lint one procedure; what cannot be read is an error too, so that the others are still looked at."""
    try:
        origin = origin_in(folder, sources, name)
        path = folder / origin.file
        return told_of(read_draft(path, name, trust=origin.trust, flow=origin.flow), str(path))
    except Mistakes as e:
        return Told(e.lines, [], whole=False)
    except UserError as e:
        return Told([f"error: {e}"], [], whole=False)


if __name__ == "__main__":
    run_stage(main)
