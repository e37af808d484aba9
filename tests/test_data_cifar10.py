"""The official CIFAR-10 files: parsing, unpacking from the archive, and the data themselves."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import click.testing
import numpy as np
import pytest

from benchmarks import data
from benchmarks.commands.cli import main
from benchmarks.data import DataError, cifar10, fetch
from benchmarks.data.fetch import File
from benchmarks.workload import Images

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "cifar-10-batches-bin"
SIGNED = Images(name="cifar10", shape=(32, 32, 3), train_examples=50_000, mean=0.5, stddev=0.25)
PLAIN = dataclasses.replace(SIGNED, mean=0.0, stddev=1.0)
PER_FILE = 4  # images in the small files of these tests


def pictures(seed: int, count: int = PER_FILE) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, count)


def written(images: np.ndarray, labels: np.ndarray) -> bytes:
    """Label, red plane, green plane, blue plane; one image after the other."""
    records = (
        bytes([label]) + b"".join(image[:, :, c].tobytes() for c in range(3))
        for image, label in zip(images, labels, strict=True)
    )
    return b"".join(records)


def test_records_become_images_and_labels(tmp_path: Path) -> None:
    images, labels = pictures(0)
    path = tmp_path / "some.bin"
    path.write_bytes(written(images, labels))
    found, classes = cifar10.parse(path)
    assert (found.dtype, classes.dtype) == (np.uint8, np.int64)
    np.testing.assert_array_equal(found, images)
    np.testing.assert_array_equal(classes, labels)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "some.bin holds 0 bytes"),
        (bytes(3072), "some.bin holds 3072 bytes, which are not whole records of 3073"),
        (bytes(2 * 3073 + 1), "holds 6147 bytes"),
        (b"\x0a" + bytes(3072), "has a label 10, and the largest is 9"),
        (None, "some.bin cannot be read: No such file"),
    ],
)
def test_what_is_no_file_of_records_is_refused(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    path = tmp_path / "some.bin"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        cifar10.parse(path)


def packed(members: dict[str, bytes | None]) -> bytes:
    """A tar.gz of regular files, and of symbolic links where there is no content."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if content is None:
                member.type, member.linkname = tarfile.SYMTYPE, "elsewhere"
            else:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content or b""))
    return out.getvalue()


CONTENTS = {f"{FOLDER}/{file.name}": written(*pictures(i)) for i, file in enumerate(cifar10.FILES)}
OTHERS: dict[str, bytes | None] = {f"{FOLDER}/readme.html": b"to read", "../outside": b"no", "/absolute": b"no"}
WHOLE = packed({**OTHERS, **CONTENTS})


def declare(monkeypatch: pytest.MonkeyPatch, archive: bytes = WHOLE) -> tuple[File, ...]:
    """Small files in place of the official ones, each of PER_FILE images."""
    digest = hashlib.sha256(archive).hexdigest()
    small = dataclasses.replace(cifar10.ARCHIVE, size=len(archive), sha256=digest)
    files = tuple(
        dataclasses.replace(file, size=len(content), sha256=hashlib.sha256(content).hexdigest(), archive=small)
        for file, content in zip(cifar10.FILES, CONTENTS.values(), strict=True)
    )
    for name, value in (("FILES", files), ("PER_FILE", PER_FILE), ("TRAIN", 5 * PER_FILE), ("TEST", PER_FILE)):
        monkeypatch.setattr(cifar10, name, value)
    return files


def serve(monkeypatch: pytest.MonkeyPatch, archive: bytes = WHOLE) -> list[str]:
    """Downloads without a network; the list they return grows by the name of each."""
    asked: list[str] = []

    def download(file: File, path: Path) -> None:
        asked.append(file.name)
        path.write_bytes(archive)

    monkeypatch.setattr(fetch, "_download", download)
    return asked


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of this test, not there yet."""
    monkeypatch.setenv("BOOKBENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder.parent).as_posix() for path in folder.parent.rglob("*"))


UNPACKED = sorted(["data", f"data/{FOLDER}", *(f"data/{name}" for name in CONTENTS)])


def test_fetch_unpacks_the_files_and_nothing_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch)
    asked = serve(monkeypatch)
    run = click.testing.CliRunner().invoke
    assert run(main, ["data", "verify", "cifar10"]).exit_code == 1
    fetched = run(main, ["data", "fetch", "cifar10"])
    assert fetched.exit_code == 0
    assert fetched.output.splitlines() == [str(folder / FOLDER / file.name) for file in cifar10.FILES]
    assert everything(folder) == UNPACKED
    assert all((folder / name).read_bytes() == content for name, content in CONTENTS.items())
    verified = run(main, ["data", "verify", "cifar10"])
    assert (verified.exit_code, verified.output) == (0, "cifar10: ok\n")
    assert run(main, ["data", "fetch", "cifar10"]).exit_code == 0
    assert asked == ["cifar-10-binary.tar.gz"]  # once
    plain = folder / "plain"
    plain.touch()
    assert (folder / FOLDER / "test_batch.bin").stat().st_mode == plain.stat().st_mode  # as the umask has it


def test_only_what_is_missing_or_wrong_is_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = declare(monkeypatch)
    asked = serve(monkeypatch)
    paths = fetch.fetch("cifar10")
    paths[0].write_bytes(bytes(files[0].size))
    paths[1].unlink()
    others = [path.stat().st_ino for path in paths[2:]]
    assert fetch.verify("cifar10") == [
        f"{FOLDER}/data_batch_1.bin is not the official file (size or SHA-256 differs)",
        f"{FOLDER}/data_batch_2.bin is missing",
    ]
    assert fetch.fetch("cifar10") == paths
    assert fetch.verify("cifar10") == []
    assert [path.stat().st_ino for path in paths[2:]] == others
    assert len(asked) == 2


def test_the_archive_may_already_lie_in_the_data_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch)
    asked = serve(monkeypatch)
    folder.mkdir()
    (folder / "cifar-10-binary.tar.gz").write_bytes(WHOLE)
    fetch.fetch("cifar10")
    assert everything(folder) == sorted([*UNPACKED, "data/cifar-10-binary.tar.gz"])
    assert asked == []


@pytest.mark.parametrize("bad", [None, b"", bytes(len(CONTENTS[f"{FOLDER}/test_batch.bin"]))])
def test_an_archive_with_another_member_is_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, bad: bytes | None
) -> None:
    """A link, an empty file, or other bytes of the right length in the place of the test images."""
    archive = packed({**CONTENTS, f"{FOLDER}/test_batch.bin": bad})
    declare(monkeypatch, archive)
    serve(monkeypatch, archive)
    with pytest.raises(DataError, match=f"does not hold the official {FOLDER}/test_batch.bin"):
        fetch.fetch("cifar10")
    assert everything(folder) == [name for name in UNPACKED if "test_batch" not in name]


@pytest.mark.parametrize("archive", [b"not a tar file", WHOLE[: len(WHOLE) // 2]])
def test_an_archive_that_cannot_be_read_is_a_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, archive: bytes
) -> None:
    declare(monkeypatch, archive)
    serve(monkeypatch, archive)
    with pytest.raises(DataError, match=r"cifar-10-binary.tar.gz (cannot be unpacked|does not hold)"):
        fetch.fetch("cifar10")
    assert not [name for name in everything(folder) if ".fetch-" in name]


def load(images: Images, train: int | None, test: int | None) -> data.Dataset:
    return data.load(images, source="real", seed=0, train_examples=train, test_examples=test)


@pytest.mark.parametrize(("train", "test"), [(20, 4), (5, 1), (4, 3), (1, 4)])
def test_images_are_in_order_and_as_declared(
    folder: Path, monkeypatch: pytest.MonkeyPatch, train: int, test: int
) -> None:
    declare(monkeypatch)
    serve(monkeypatch)
    fetch.fetch("cifar10")
    parts = [pictures(i) for i in range(6)]
    images = np.concatenate([part[0] for part in parts])
    labels = np.concatenate([part[1] for part in parts])
    for declared in (
        SIGNED,
        PLAIN,
        dataclasses.replace(SIGNED, divisor=256.0),
        dataclasses.replace(PLAIN, shape=(3072,)),
    ):
        found = load(declared, train, test)
        assert (found.train_examples, found.test_examples, found.optimum) == (train, test, None)
        for name, chosen in (("train", slice(0, train)), ("test", slice(20, 20 + test))):
            x = found.arrays[f"{name}_x"]
            assert (x.dtype, x.flags.c_contiguous) == (np.float32, True)
            expected = (images[chosen] / declared.divisor - declared.mean) / declared.stddev
            np.testing.assert_allclose(x, expected.reshape(-1, *declared.shape), rtol=1e-6, atol=1e-6)
            np.testing.assert_array_equal(found.arrays[f"{name}_y"], labels[chosen])


def test_more_than_there_is_cannot_be_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch)
    serve(monkeypatch)
    fetch.fetch("cifar10")
    for train, test in ((21, 4), (20, 5)):
        with pytest.raises(DataError, match=f"20 training and 4 test images, {train} and {test} were asked"):
            load(SIGNED, train, test)


def test_real_data_that_are_not_there_name_the_command(folder: Path) -> None:
    with pytest.raises(DataError, match=r"data_batch_1.bin is missing; run `python -m benchmarks data fetch cifar10`"):
        load(SIGNED, None, None)


def test_official_files_have_hashes_and_one_archive() -> None:
    assert fetch.sets()["cifar10"] == cifar10.FILES
    assert {file.archive for file in cifar10.FILES} == {cifar10.ARCHIVE}
    assert cifar10.ARCHIVE.urls == ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",)
    for file in (*cifar10.FILES, cifar10.ARCHIVE):
        assert len(bytes.fromhex(file.sha256)) == 32
    assert {file.size for file in cifar10.FILES} == {30_730_000}


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the official files; skips where there are none."""
    if not fetch.verify("cifar10"):
        return fetch.data_folder()
    unpack = ROOT.parent / "shared" / "data" / "unpack"
    if not unpack.is_file() or shutil.which("bash") is None:
        pytest.skip("no official CIFAR-10: neither BOOKBENCH_DATA nor ../shared/data holds it")
    folder = tmp_path_factory.mktemp("official")
    subprocess.run(["bash", str(unpack), str(folder), FOLDER], check=True)
    return folder


def test_official_cifar10(official: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOKBENCH_DATA", str(official))
    assert fetch.verify("cifar10") == []
    found = load(PLAIN, None, None)
    train_x = found.arrays["train_x"]
    assert (train_x.shape, found.arrays["test_x"].shape) == ((50_000, 32, 32, 3), (10_000, 32, 32, 3))
    assert np.bincount(found.arrays["train_y"]).tolist() == [5_000] * 10
    assert np.bincount(found.arrays["test_y"]).tolist() == [1_000] * 10
    assert found.arrays["train_y"][:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]  # the first is a frog
    assert (train_x.min(), train_x.max()) == (0.0, 1.0)
    # the means that are published for each channel: only with the planes in the right order
    np.testing.assert_allclose(train_x.mean(axis=(0, 1, 2), dtype=np.float64), [0.4914, 0.4822, 0.4465], atol=1e-4)
    neighbours = np.abs(np.diff(train_x[:200], axis=2)).mean(), np.abs(np.diff(train_x[:200], axis=1)).mean()
    assert max(neighbours) < 0.1  # a picture, and not one with its pixels in another order


def test_official_cifar10_as_declared(official: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOKBENCH_DATA", str(official))
    signed, plain = load(SIGNED, 300, 20), load(PLAIN, 300, 20)
    assert signed.arrays["train_x"].shape == (300, 32, 32, 3)
    np.testing.assert_allclose(signed.arrays["train_x"], (plain.arrays["train_x"] - 0.5) / 0.25, atol=1e-6)
    assert "first 300" in signed.description
