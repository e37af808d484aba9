"""The data folder: what belongs in it, fetching with hashes, checking."""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.data import DataError


@dataclass(frozen=True, kw_only=True)
class File:
    """One official file: its name under ``<data folder>/<set>/``, size in bytes, hash and where it can be had.

    ``folder`` stands for the name of the set where the official one is another. A file with an ``archive`` has no
    urls: it is the member ``folder/name`` of that tar file.
    """

    name: str
    size: int
    sha256: str
    urls: tuple[str, ...]
    folder: str | None = None
    archive: File | None = None


def data_folder() -> Path:
    """Return ``BOOKBENCH_DATA``, or a folder in the platform's cache."""
    if given := os.environ.get("BOOKBENCH_DATA"):
        return Path(given).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("bookbench", appauthor=False)) / "data"


def sets() -> dict[str, tuple[File, ...]]:
    """Return every data set that has files, by name; found by looking at the modules of this folder."""
    out = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem in ("__init__", "fetch", "cli"):
            continue
        files = getattr(importlib.import_module(f"benchmarks.data.{path.stem}"), "FILES", ())
        if files:
            out[path.stem] = tuple(files)
    return out


def files_of(name: str) -> tuple[File, ...]:
    known = sets()
    if name not in known:
        raise DataError(f"there is no data set {name!r} to fetch; there are {', '.join(known)}")
    return known[name]


def hexdigest(path: Path, kind: str = "sha256") -> str:
    digest = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as source:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _folder(name: str, file: File) -> str:
    return file.folder or name


def _path(name: str, file: File) -> Path:
    return data_folder() / _folder(name, file) / file.name


def _right(path: Path, file: File) -> bool:
    return path.is_file() and path.stat().st_size == file.size and hexdigest(path) == file.sha256


def problems(name: str, files: Sequence[File]) -> list[str]:
    """Return what is wrong with a set in the data folder, a sentence each; empty when all is there and right."""
    out = []
    for file in files:
        path, shown = _path(name, file), f"{_folder(name, file)}/{file.name}"
        if not path.is_file():
            out.append(f"{shown} is missing")
        elif not _right(path, file):
            out.append(f"{shown} is not the official file (size or SHA-256 differs)")
    return out


def verify(name: str) -> list[str]:
    return problems(name, files_of(name))


def checked(name: str, files: Sequence[File]) -> list[Path]:
    """Return the paths of a set's files after a check of their hashes; DataError tells how to get them."""
    if wrong := problems(name, files):
        raise DataError(
            f"real data set {name}: {wrong[0]}; run `python -m benchmarks data fetch {name}` "
            "or set BOOKBENCH_DATA to the folder that holds it"
        )
    return [_path(name, file) for file in files]


def fetch(name: str, files: Sequence[File] | None = None) -> list[Path]:
    """Download what is missing or wrong, from the first mirror that serves the right bytes.

    A file gets its name only after its hash was checked, so a broken download is never trusted later.
    """
    files = files or files_of(name)
    wanted: dict[File, dict[str, tuple[File, Path]]] = {}  # by archive, then by name of the member
    out = []
    for file in files:
        path = _path(name, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not _right(path, file):
            if file.archive is None:
                _download(file, path)
            else:
                wanted.setdefault(file.archive, {})[f"{_folder(name, file)}/{file.name}"] = (file, path)
        out.append(path)
    for archive, members in wanted.items():
        _bring(archive, members)
    return out


def _bring(archive: File, wanted: dict[str, tuple[File, Path]]) -> None:
    """Extract members of the archive in the data folder, if the right one lies there, else of one downloaded."""
    kept = data_folder() / archive.name
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=data_folder()) as part:
        if not _right(kept, archive):
            kept = Path(part) / archive.name
            _download(archive, kept)
        _unpack(kept, wanted, Path(part) / "member")


def _unpack(archive: Path, wanted: dict[str, tuple[File, Path]], part: Path) -> None:
    """Write the wanted regular members, and nothing else, each first to ``part`` and to its path once it is right."""
    missing = dict(wanted)
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                if member.name not in missing or not member.isreg():
                    continue
                file, path = missing[member.name]
                source = tar.extractfile(member)
                if source is None or member.size != file.size:
                    continue
                with source, part.open("wb") as target:
                    shutil.copyfileobj(source, target)
                if _right(part, file):
                    os.replace(part, path)
                    del missing[member.name]
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise DataError(f"{archive.name} cannot be unpacked: {' '.join(str(error).split())[:160]}") from None
    if missing:
        raise DataError(f"{archive.name} does not hold the official {', '.join(missing)}")


def _download(file: File, path: Path) -> None:
    """Bring one file in under a name of its own, then give it ``path``; the progress goes to stderr."""
    import pooch
    from tqdm import tqdm

    pooch.get_logger().setLevel("WARNING")  # it would name the temporary folder; the bar names file and mirror
    failures = []
    for url in file.urls:
        server = urlsplit(url).netloc
        with (
            tempfile.TemporaryDirectory(prefix=".fetch-", dir=path.parent) as part,
            tqdm(desc=f"{file.name} from {server}", total=file.size, unit="B", unit_scale=True) as progress,
        ):
            try:
                got = pooch.retrieve(
                    url,
                    known_hash=f"sha256:{file.sha256}",
                    fname=file.name,
                    path=part,
                    downloader=pooch.HTTPDownloader(progressbar=progress, timeout=30),
                )
                readable = shutil.copyfile(got, f"{got}.readable")  # pooch's own file is for its owner only
                os.replace(readable, path)
                return
            except OSError as error:  # all that requests raises is one
                failures.append(f"{url}: {type(error).__name__}: {' '.join(str(error).split())[:160]}")
            except ValueError:
                failures.append(f"{url}: what it serves is not the official file (SHA-256 differs)")
    raise DataError(f"{file.name} could not be fetched from any mirror: {'; '.join(failures)}")
