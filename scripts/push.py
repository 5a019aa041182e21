"""Pushes outputs and the run cache to the DVC remote, with the metrics that runs wrote: `python -m scripts.push`.

`dvc push --run-cache` leaves out what is in Git, such as metrics. A run without its metrics cannot be restored
elsewhere, so a fresh clone would train again what has been trained (DVC 3.67, tried in tests/test_recompile_cycle.py).
"""

from __future__ import annotations

from dvc.exceptions import CollectCacheError, DvcException
from dvc.repo import Repo

from flowc.records import UserError, run_stage


def main() -> None:
    """Push; say how much."""
    print(f"{push()} files pushed")


def push() -> int:
    """Push outputs, the run cache and what its runs need; give the number of files.

    Raises UserError when there is no remote or it does not take them.
    """
    try:
        with Repo() as repo:
            pushed = int(repo.push(run_cache=True))
            with repo.lock:
                runs = repo.stage_cache.push(None)
                return pushed + sum(_push_run(repo, run) for run in runs)
    except DvcException as e:
        raise UserError(f"dvc push: {e}; a remote is named by FLOWC_REMOTE or `dvc remote add --default`") from None


def _push_run(repo: Repo, run: tuple[str, str]) -> int:
    try:
        used = repo.stage_cache.get_used_objs([run]).get(None, ())
    except CollectCacheError:  # pulled with the run cache, while nobody has its outputs any more
        return 0
    return len(repo.cloud.push({o for o in used if repo.cache.local.exists(o.value)}).transferred)


if __name__ == "__main__":
    run_stage(main)
