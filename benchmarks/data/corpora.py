"""The long texts that word vectors are trained on: which there are, which one is asked for, their words."""

from __future__ import annotations

import dataclasses
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.data import DataError, fetch
from benchmarks.data.fetch import File

READ = 1 << 23  # bytes of text at a time

TEXT8 = File(
    name="text8.zip",
    size=31_344_016,
    sha256="a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
    urls=("http://mattmahoney.net/dc/text8.zip", "https://mattmahoney.net/dc/text8.zip"),
)
TEXT8_MD5 = "3bea1919949baf155f99411df5fada7e"  # of the text in it, as published; no other hash is


class Corpus(NamedTuple):
    """A text: what BOOKBENCH_CORPUS calls it ('' for a path of the user's), its name, a remark, the file."""

    key: str
    name: str
    remark: str
    place: Path  # below the data folder, or the user's path


# The first that is there is taken.
CORPORA = (
    Corpus("text8", "text8", "", Path("skipgram/text8.zip")),
    Corpus("text8", "text8", "", Path("text8/text8.zip")),
    Corpus("text8", "text8", "", Path("text8/text8")),
    Corpus(
        "enwiki", "enwiki100M", "English Wikipedia in text8's alphabet, not text8", Path("enwiki/enwiki100M_text8style")
    ),
    Corpus("prefix", "the beginning of text8", "", Path("text8/text8.prefix")),
)


def find() -> tuple[Corpus, Path, str]:
    """Return the text asked for, or the first there is: its path and its description."""
    asked = os.environ.get("BOOKBENCH_CORPUS", "")
    keys = {corpus.key for corpus in CORPORA}
    if asked and asked not in keys:
        path = Path(asked).expanduser()
        if not path.is_file():
            raise DataError(f"BOOKBENCH_CORPUS is {asked!r}: neither a file nor one of {', '.join(sorted(keys))}")
        return Corpus("", f"text {path.name}", "", path), path, f"text {path.name}"
    for corpus in CORPORA:
        path = fetch.data_folder() / corpus.place
        if asked in ("", corpus.key) and path.is_file():
            remarks = [remark for remark in (corpus.remark, _unverified(corpus, path)) if remark]
            return corpus, path, corpus.name + (f" ({'; '.join(remarks)})" if remarks else "")
    raise DataError(
        f"real data set skipgram: no text ({asked or 'text8 or enwiki'}) in the data folder; run `python -m benchmarks "
        "data fetch skipgram`, set BOOKBENCH_DATA to the folder that holds it or BOOKBENCH_CORPUS to a text file"
    )


def _unverified(corpus: Corpus, path: Path) -> str:
    """Return '' for the official text8, else that it is not verified; DataError for a text8.zip that is another."""
    if path.name == TEXT8.name:
        fetch.checked("skipgram", [dataclasses.replace(TEXT8, folder=path.parent.name)])
        return ""
    official = corpus.name == "text8" and fetch.hexdigest(path, "md5") == TEXT8_MD5
    return "" if official else "not verified"


def words(path: Path) -> Iterator[list[bytes]]:
    """Yield the words of a plain text or of the only file in a zip, some million letters at a time."""
    rest = b""
    try:
        if path.suffix == ".zip":
            archive = zipfile.ZipFile(path)
            source = archive.open(archive.namelist()[0])
        else:
            archive, source = None, path.open("rb")
        with source:
            while block := source.read(READ):
                if b"\0" in block:
                    raise DataError(f"{path.name} is not a plain text")
                head, space, tail = (rest + block).rpartition(b" ")
                rest = tail
                if space:
                    yield head.split()
        if archive is not None:
            archive.close()
    except (OSError, EOFError, IndexError, zipfile.BadZipFile) as error:
        raise DataError(f"{path.name} cannot be read: {type(error).__name__}: {error}") from None
    yield rest.split()
