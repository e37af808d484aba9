"""Every part of a run follows the contract of benchmarks/parts: schema, measuring, showing."""

import importlib
import subprocess
import sys

import pytest
from pydantic import BaseModel, ValidationError

from benchmarks import experiments
from benchmarks.experiments import typed
from benchmarks.schema.measurements import Answer
from benchmarks.workload import ROOT


@pytest.mark.parametrize("name", experiments.names())
def test_a_part_offers_what_the_run_the_check_and_the_report_need(name):
    schema, measuring = experiments.schema(name), experiments.MEASURING[name]
    assert issubclass(schema.Value, BaseModel)
    assert schema.TITLE
    assert schema.QUESTION
    assert callable(schema.check)
    assert callable(schema.words)
    assert callable(measuring.measure)
    assert callable(measuring.seconds)
    assert callable(importlib.import_module(f"reports.parts.{name}").show)
    assert all(field.description for field in schema.Value.model_fields.values()), "every field says what it is"


@pytest.mark.parametrize("name", experiments.names())
def test_a_schema_imports_nothing_that_measures(name):
    code = (
        f"import sys, benchmarks.experiments.{name}.schema; "
        "assert not {'benchmarks.engine.run', 'benchmarks.worker.session'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_an_answer_holds_a_value_exactly_when_it_is_ok():
    place = {"part": "memory", "workload": "w", "variant": "default", "stack": "torch:eager:cpu:default"}
    value = {"batch_size": 2, "steps": 1, "imported_resident": 10}
    assert typed(Answer(**place, status="ok", value=value)).imported_resident == 10
    for wrong in ({"status": "ok"}, {"status": "failed", "reason": "x", "value": value}):
        with pytest.raises(ValidationError):
            Answer(**place, **wrong)
    for wrong in ({**value, "batch_size": 0}, {**value, "unknown": 1}):
        with pytest.raises(ValidationError):
            typed(Answer(**place, status="ok", value=wrong))
    with pytest.raises(ValueError, match="no part"):
        typed(Answer(**{**place, "part": "nothing"}, status="failed", reason="x"))
