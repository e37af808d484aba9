"""Write ``results/README.md`` from the result schema: ``python -m benchmarks.commands.schema_document``."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from benchmarks import experiments as measured
from benchmarks.schema.results import SCHEMA_VERSION, Result
from benchmarks.workload import ROOT

PATH = ROOT / "results" / "README.md"

HEAD = f"""# Results

One JSON file per run, schema version {SCHEMA_VERSION}. Files here are committed as they were written, never edited
by hand: each carries a digest of its own content, and `python -m benchmarks verify results/FILE.json` checks it
together with hashes, certificates, rounds and statuses. Your own runs go to `results/local/`, which git ignores; each
is a folder with `result.json`, the append-only `journal.jsonl` it was derived from, `plan.json`, worker logs and
compile caches.

`accuracy/` holds committed trainings, several seeds in each framework: the ranges and margins that their workloads
declare come from them, and `tests/test_agreement.py` compares them with both. They time nothing, so the README's
tables leave them out.

`earlier/` holds published runs of implementations that were replaced since; CHANGELOG.md gives the reasons. They still
verify.

`selftest/` holds recorded launches that do not pass: `python -m benchmarks selftest --banks results/selftest` shows
which differences a run misses when a stack varies too much from launch to launch. `parts/` holds runs of single
experiments (`--measure limits` and the like), `museum/` a run of `pitfalls`.

A row is one workload variant on one stack. Its `status` is that of its first failing phase:

| status | meaning |
|---|---|
| ok | everything asked for was measured and passed |
| unavailable | the stack is not installed or cannot run here; the reason says why |
| failed | the framework or implementation raised |
| crashed | the worker process died |
| timeout | a request took longer than its time limit |
| out_of_memory | the framework reported it, or the kernel's out-of-memory killer counted a kill in this cgroup |
| parity_failed | the parity certificate, a probe or the sample order did not hold |
| accuracy_failed | the metric lies outside the recipe's measured range |
| interrupted | the run ended before this was finished; `--resume` continues |

This page is generated from `benchmarks/schema/results.py` by `python -m benchmarks.commands.schema_document`; a test
keeps it current.
"""


def document() -> str:
    """Return the page: every object of the schema, every field, its type and meaning."""
    schema = Result.model_json_schema(by_alias=True)
    parts = [HEAD, _section("Result", schema)]
    parts += [_section(name, schema["$defs"][name]) for name in _order(schema)]
    for part in measured.names():
        module = measured.schema(part)
        own = module.Value.model_json_schema(by_alias=True)
        alike = [name for name, spec in own.get("$defs", {}).items() if schema["$defs"].get(name) == spec]
        named = {"title": part, "description": f"{module.TITLE}: {module.QUESTION}. The value of its answers."}
        parts.append(_section(f"Experiment {part}", own | named, f"{part}-", alike))
        told = [name for name in _order(own) if name not in alike]
        parts += [_section(f"{part}: {name}", own["$defs"][name], f"{part}-", alike) for name in told]
    return "\n".join(parts)


def _order(schema: dict[str, Any]) -> list[str]:
    """Return the definitions in the order a reader meets them."""
    seen: list[str] = []

    def visit(node: Any) -> None:
        if isinstance(node, dict):
            reference = str(node.get("$ref", ""))
            name = reference.rsplit("/", 1)[-1]
            if reference and name not in seen:
                seen.append(name)
                visit(schema["$defs"][name])
            for key, value in node.items():
                if key != "$defs":
                    visit(value)
        elif isinstance(node, list):
            for value in node:
                visit(value)

    visit(schema)
    return seen


def _section(name: str, schema: dict[str, Any], own: str = "", alike: Collection[str] = ()) -> str:
    """Return one object's table; ``own`` begins the anchors of what it refers to, but of what a result has too."""
    lines = [f"\n## {name}\n", " ".join(str(schema.get("description", "")).split()), "", "| field | type | meaning |"]
    lines.append("|---|---|---|")
    for field, spec in schema.get("properties", {}).items():
        lines.append(f"| `{field}` | {_type(spec, own, alike)} | {spec.get('description', '')} |")
    return "\n".join(lines)


def _type(spec: dict[str, Any], own: str, alike: Collection[str]) -> str:
    if "$ref" in spec:
        name = spec["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{'' if name in alike else own}{name.lower()})"
    if "anyOf" in spec:
        return " or ".join(_type(s, own, alike) for s in spec["anyOf"])
    if "enum" in spec:
        return ", ".join(f"`{v}`" for v in spec["enum"])
    if "const" in spec:
        return f"`{spec['const']}`"
    kind = spec.get("type", "any")
    if kind == "array":
        return f"list of {_type(spec.get('items', {}), own, alike)}"
    if kind == "object" and isinstance(spec.get("additionalProperties"), dict):
        return f"name → {_type(spec['additionalProperties'], own, alike)}"
    return str(kind)


def main(path: Path = PATH) -> None:
    path.write_text(document() + "\n", encoding="utf-8")
    print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
