"""What is held out of the training data to judge when a target is reached. The test set takes no part."""

from __future__ import annotations

import numpy as np

SHARE = 0.1  # of the training data
MOST = 10_000  # images or words

Arrays = dict[str, np.ndarray]


def hold_out(arrays: Arrays) -> Arrays:
    """The last tenth of the training data, at most 10,000, in the place of the test set; training keeps the rest.

    Of text and pairs only words remain: what else scores word vectors is no validation data.
    """
    images = "train_x" in arrays
    names = ("train_x", "train_y") if images else ("train",)
    count = min(MOST, max(1, round(SHARE * len(arrays[names[0]]))))
    out = {"words": arrays["words"]} if "words" in arrays else {}
    for name in names:
        out[name] = arrays[name][:-count]
        out[name.replace("train", "test")] = arrays[name][-count:]
    return out
