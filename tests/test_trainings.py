"""A training that goes wrong is a row with its reason."""

from types import SimpleNamespace

from benchmarks.engine import trainings


def test_a_metric_that_is_not_finite_fails_the_training_alone():
    told = []
    recipe = SimpleNamespace(name="quick", epochs=3)
    entry = SimpleNamespace(key="toy", sized=SimpleNamespace(recipe=lambda name: recipe))
    workers = SimpleNamespace(log_tail=lambda process: ["last words"], redact=lambda text: text)
    ctx = SimpleNamespace(
        request=SimpleNamespace(recipe="quick"), report=told.append, workers=workers, journal=SimpleNamespace()
    )

    def ask(command, *, event, **fields):
        event({"epoch": 1, "seconds": 0.5, "loss": None, "metric": None})

    launch = SimpleNamespace(
        entry=entry, stack=SimpleNamespace(label="numpy eager"), timeout=1.0, ask=ask, row="row", attempt=1,
        process=SimpleNamespace(kill=lambda: told.append("killed")),
    )  # fmt: skip
    reason = "the metric is not finite after epoch 1"
    found = trainings._train(ctx, launch, 0, fresh=False)
    assert found == {"status": "accuracy_failed", "reason": reason, "log_tail": ["last words"]}
    assert told == ["killed", f"toy  numpy eager  training, seed 0: accuracy_failed: {reason}"]
