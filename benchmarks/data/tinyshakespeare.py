"""Tiny Shakespeare, the official file; ``words`` reads it."""

from __future__ import annotations

from benchmarks.data.fetch import File

FILES = (
    File(
        name="input.txt",
        size=1115394,
        sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        urls=("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",),
    ),
)
