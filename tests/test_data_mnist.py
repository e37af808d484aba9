"""The official MNIST files: parsing, fetching from mirrors, the ``data`` commands, and the data themselves."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click.testing
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from benchmarks import data
from benchmarks.commands.cli import main
from benchmarks.data import DataError, fetch, mnist
from benchmarks.data.fetch import File
from benchmarks.workload import Images

ROOT = Path(__file__).resolve().parent.parent
FLAT = Images(name="mnist", shape=(784,), train_examples=60_000)
SIGNED = Images(name="mnist", shape=(28, 28, 1), train_examples=60_000, mean=0.5, stddev=0.5)
BYTES = arrays(np.uint8, array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6))
LABELS_OF_TRAINING = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
LABELS_OF_TEST = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def parsed(content: bytes) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "some-idx-ubyte.gz"
        path.write_bytes(content)
        return mnist.parse_idx(path)


@settings(deadline=None)
@given(BYTES)
def test_idx_round_trip(array: np.ndarray) -> None:
    again = parsed(gzip.compress(idx(array)))
    assert again.dtype == np.uint8
    assert again.shape == array.shape
    np.testing.assert_array_equal(again, array)


@settings(deadline=None)
@given(BYTES, st.data())
def test_a_file_cut_anywhere_is_refused(array: np.ndarray, draw: st.DataObject) -> None:
    whole = gzip.compress(idx(array))
    cut = draw.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(DataError, match="some-idx-ubyte"):
        parsed(whole[:cut])
    inner = idx(array)
    cut = draw.draw(st.integers(0, len(inner) - 1))
    with pytest.raises(DataError, match="some-idx-ubyte"):
        parsed(gzip.compress(inner[:cut]))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"not gzip at all", "not a whole gzip file"),
        (gzip.compress(b""), "not an idx file"),
        (gzip.compress(b"\x00\x01\x08\x01\x00\x00\x00\x00"), "not an idx file"),  # wrong magic
        (gzip.compress(b"\x00\x00\x0d\x01\x00\x00\x00\x00"), "not an idx file"),  # floats
        (gzip.compress(struct.pack(">4B255I", 0, 0, 8, 255, *[1] * 255) + b"."), "not an idx file"),  # 255 dimensions
        (gzip.compress(b"\x00\x00\x08\x03\x00\x00\x00\x01"), "ends within its header"),
        (gzip.compress(idx(np.zeros((2, 3), np.uint8)) + b"x"), r"promises \(2, 3\) bytes and holds 7"),
        (gzip.compress(idx(np.zeros((2, 3), np.uint8))[:-1]), r"promises \(2, 3\) bytes and holds 5"),
        (gzip.compress(struct.pack(">4B4I", 0, 0, 8, 4, *[1 << 16] * 4)), "holds 0"),  # 2**64 bytes, 0 modulo 2**64
    ],
    ids=[
        *("not gzip", "empty", "wrong magic", "floats", "255 dimensions", "short header", "a byte too many"),
        *("a byte too few", "2**64 bytes"),
    ],
)
def test_what_is_no_idx_file_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        parsed(content)


PAYLOAD = np.random.default_rng(0).bytes(300_000)
OTHER = PAYLOAD[:-1] + bytes([PAYLOAD[-1] ^ 1])


class Server(ThreadingHTTPServer):
    """Serves by the first part of the path: /good, /other, /absent, /broken, /stalls."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.halfway, self.go_on = threading.Event(), threading.Event()

    def url(self, behaviour: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{behaviour}/thing.bin"

    def file(self, *behaviours: str, size: int = len(PAYLOAD)) -> File:
        digest = hashlib.sha256(PAYLOAD).hexdigest()
        return File(name="thing.bin", size=size, sha256=digest, urls=tuple(self.url(b) for b in behaviours))


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        behaviour = self.path.split("/")[1]
        self.server.asked.append(behaviour)
        if behaviour == "absent":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(PAYLOAD)))
        self.end_headers()
        body = {"good": PAYLOAD, "other": OTHER}.get(behaviour, PAYLOAD[: len(PAYLOAD) // 2])
        self.wfile.write(body)
        if behaviour == "stalls":
            self.wfile.flush()
            self.server.halfway.set()
            self.server.go_on.wait()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of this test, empty; no proxy stands between it and the server."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setenv("BOOKBENCH_DATA", str(tmp_path))
    return tmp_path


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_the_second_mirror_serves_where_the_first_has_nothing(
    server: Server, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    paths = fetch.fetch("things", [server.file("absent", "good")])
    assert paths == [folder / "things" / "thing.bin"]
    assert paths[0].read_bytes() == PAYLOAD
    assert everything(folder) == ["things", "things/thing.bin"]
    assert server.asked == ["absent", "good"]
    assert fetch.checked("things", [server.file()]) == paths
    out, err = capfd.readouterr()
    assert out == ""  # stdout is the caller's
    last = err.replace("\r", "\n").splitlines()[-1]
    assert last.startswith("thing.bin from 127.0.0.1:")
    assert "100%" in last
    assert ".fetch-" not in err


def test_others_may_read_what_was_fetched(server: Server, folder: Path) -> None:
    (path,) = fetch.fetch("things", [server.file("good")])
    plain = folder / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode  # as the umask has it


@pytest.mark.parametrize("bad", ["other", "broken", "absent"])
def test_a_bad_mirror_is_left_for_the_next(server: Server, folder: Path, bad: str) -> None:
    assert fetch.fetch("things", [server.file(bad, "good")])[0].read_bytes() == PAYLOAD
    assert everything(folder) == ["things", "things/thing.bin"]


@pytest.mark.parametrize(
    ("bad", "reason"), [("other", "not the official file"), ("broken", "IncompleteRead"), ("absent", "404")]
)
def test_a_bad_file_leaves_nothing_behind(server: Server, folder: Path, bad: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason) as caught:
        fetch.fetch("things", [server.file(bad)])
    assert everything(folder) == ["things"]
    assert server.url(bad) in str(caught.value)


def test_no_mirror_serves_and_one_sentence_says_why(server: Server, folder: Path) -> None:
    with pytest.raises(DataError) as caught:
        fetch.fetch("things", [server.file("absent", "other", "broken")])
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.startswith("thing.bin could not be fetched from any mirror: ")
    for bad in ("absent", "other", "broken"):
        assert server.url(bad) in sentence
    assert everything(folder) == ["things"]


def test_no_server_at_all_is_the_same_error(server: Server, folder: Path) -> None:
    with Server() as closed:
        file = closed.file("good")
    with pytest.raises(DataError, match="ConnectionError"):
        fetch.fetch("things", [file])
    assert everything(folder) == ["things"]


def test_a_right_file_is_not_fetched_again_and_a_wrong_one_is_replaced(server: Server, folder: Path) -> None:
    file = server.file("good")
    (path,) = fetch.fetch("things", [file])
    fetch.fetch("things", [file])
    assert server.asked == ["good"]

    path.write_bytes(OTHER)  # of the right length
    assert fetch.problems("things", [file]) == ["things/thing.bin is not the official file (size or SHA-256 differs)"]
    fetch.fetch("things", [file])
    assert path.read_bytes() == PAYLOAD
    assert server.asked == ["good", "good"]
    assert fetch.problems("things", [file]) == []


def test_a_failed_fetch_leaves_a_wrong_file_as_it_was(server: Server, folder: Path) -> None:
    path = folder / "things" / "thing.bin"
    path.parent.mkdir()
    path.write_bytes(OTHER)
    with pytest.raises(DataError):
        fetch.fetch("things", [server.file("broken")])
    assert path.read_bytes() == OTHER
    assert everything(folder) == ["things", "things/thing.bin"]


@pytest.mark.skipif(sys.platform == "win32", reason="a SIGINT cannot be sent to one process on Windows")
def test_ctrl_c_leaves_no_partial_file(server: Server, folder: Path) -> None:
    script = f"""
import signal
from benchmarks.data.fetch import File, fetch
signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent may have it ignored
fetch("things", [{server.file("stalls", "good")!r}])
"""
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        assert server.halfway.wait(60)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode != 0
    assert "KeyboardInterrupt" in err
    assert everything(folder) == ["things"]
    assert server.asked == ["stalls"]  # the interrupt does not only end the first mirror's turn


def command(*arguments: str, data: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "data", *arguments],
        cwd=ROOT,
        env={**os.environ, "BOOKBENCH_DATA": str(data)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    return done


def test_data_path_is_the_folder(tmp_path: Path) -> None:
    done = command("path", data=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path))


def test_data_verify_names_what_is_missing_and_what_is_wrong(tmp_path: Path) -> None:
    first, *others = mnist.FILES
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / first.name).write_bytes(b"no")
    done = command("verify", "mnist", data=tmp_path)
    assert done.returncode == 1
    for file in mnist.FILES:
        assert f"mnist/{file.name}" in done.stdout
    assert done.stdout.count("is not the official file") == 1
    assert done.stdout.count("is missing") == len(others)


@pytest.mark.parametrize("which", ["fetch", "verify"])
def test_an_unknown_set_is_a_sentence(tmp_path: Path, which: str) -> None:
    done = command(which, "nonsense", data=tmp_path)
    assert done.returncode not in (0, 1)
    assert "there is no data set 'nonsense' to fetch; there are" in done.stderr
    assert "mnist" in done.stderr
    assert everything(tmp_path) == []


def test_data_fetch_and_verify_of_a_set(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "FILES", (server.file("absent", "good"),))
    run = click.testing.CliRunner().invoke
    assert run(main, ["data", "verify", "mnist"]).exit_code == 1
    fetched = run(main, ["data", "fetch", "mnist"])
    assert fetched.exit_code == 0
    assert str(folder / "mnist" / "thing.bin") in fetched.output
    verified = run(main, ["data", "verify", "mnist"])
    assert (verified.exit_code, verified.output) == (0, "mnist: ok\n")


def test_every_official_file_has_two_mirrors_and_a_hash() -> None:
    assert fetch.sets()["mnist"] == mnist.FILES
    for file in mnist.FILES:
        assert len(file.urls) == 2
        assert all(url.startswith("https://") and url.endswith(file.name) for url in file.urls)
        assert len(bytes.fromhex(file.sha256)) == 32
        assert file.size > 0


def test_real_data_that_are_not_there_name_the_command(folder: Path) -> None:
    with pytest.raises(DataError, match="run `python -m benchmarks data fetch mnist` or set BOOKBENCH_DATA"):
        data.load(FLAT, source="real", seed=0, train_examples=None, test_examples=None)


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the official files; skips where there are none."""
    if not fetch.verify("mnist"):
        return fetch.data_folder()
    unpack = ROOT.parent / "shared" / "data" / "unpack"
    if not unpack.is_file() or shutil.which("bash") is None:
        pytest.skip("no official MNIST: neither BOOKBENCH_DATA nor ../shared/data holds it")
    folder = tmp_path_factory.mktemp("official")
    subprocess.run(["bash", str(unpack), str(folder), "mnist"], check=True)
    return folder


def test_official_files_verify(official: Path) -> None:
    done = command("verify", "mnist", data=official)
    assert (done.returncode, done.stdout) == (0, "mnist: ok\n")


def test_official_mnist(official: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOKBENCH_DATA", str(official))
    flat = data.load(FLAT, source="real", seed=0, train_examples=None, test_examples=None)
    assert (flat.arrays["train_x"].shape, flat.arrays["test_x"].shape) == ((60_000, 784), (10_000, 784))
    assert (flat.arrays["train_y"].dtype, flat.arrays["train_x"].dtype) == (np.int64, np.float32)
    assert np.bincount(flat.arrays["train_y"]).tolist() == LABELS_OF_TRAINING
    assert np.bincount(flat.arrays["test_y"]).tolist() == LABELS_OF_TEST
    assert (flat.arrays["train_x"].min(), flat.arrays["train_x"].max()) == (0.0, 1.0)
    assert flat.optimum is None


def test_official_mnist_as_declared(official: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOKBENCH_DATA", str(official))
    signed = data.load(SIGNED, source="real", seed=0, train_examples=500, test_examples=200)
    assert (signed.arrays["train_x"].shape, signed.arrays["test_x"].shape) == ((500, 28, 28, 1), (200, 28, 28, 1))
    assert (signed.arrays["train_x"].min(), signed.arrays["train_x"].max()) == (-1.0, 1.0)
    by_256 = Images(name="mnist", shape=(784,), train_examples=500, divisor=256.0)
    quarter = data.load(by_256, source="real", seed=0, train_examples=None, test_examples=200)
    assert quarter.arrays["train_x"].max() == 255 / 256
    whole = (signed.arrays["train_x"].reshape(500, 784) + 1) / 2 * 255
    np.testing.assert_allclose(quarter.arrays["train_x"] * 256, whole, atol=1e-4)
    assert signed.arrays["train_y"][:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    again = data.load(SIGNED, source="real", seed=1, train_examples=500, test_examples=200)
    assert again.digest == signed.digest  # real data have no seed


def test_more_than_there_is_cannot_be_asked(official: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOKBENCH_DATA", str(official))
    with pytest.raises(DataError, match="60000 training and 10000 test images"):
        data.load(FLAT, source="real", seed=0, train_examples=60_001, test_examples=None)
