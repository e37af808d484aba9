"""results/README.md documents the schema as it is."""

from benchmarks.results import Result
from benchmarks.schema_doc import PATH, document


def test_the_page_is_current():
    assert PATH.read_text("utf-8") == document() + "\n", "run python -m benchmarks.schema_doc"


def test_every_field_of_the_result_is_there():
    text = document()
    for name in Result.model_fields:
        assert f"| `{name}` |" in text


def test_every_field_is_described():
    schema = Result.model_json_schema(by_alias=True)
    objects = {"Result": schema, **schema["$defs"]}
    silent = [
        f"{o}.{f}" for o, s in objects.items() for f, d in s.get("properties", {}).items() if not d.get("description")
    ]
    assert silent == []
