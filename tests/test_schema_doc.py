"""results/README.md documents the schema as it is."""

from benchmarks.commands.schema_document import PATH, document
from benchmarks.schema.results import Result


def test_the_page_is_current():
    assert PATH.read_text("utf-8") == document() + "\n", "run python -m benchmarks.commands.schema_document"


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
