"""Tables in Markdown, and pages of which a part is generated."""

import pytest

from benchmarks.errors import Problem
from benchmarks.schema.markdown import LEFT, RIGHT, plain, renew, table


def test_a_table_keeps_its_columns_whatever_stands_in_them():
    assert table(["a", "b"], [LEFT, RIGHT], [["x|y", "1"]]) == ["| a | b |", "| :--- | ---: |", "| x\\|y | 1 |"]
    assert plain("a|b\n<i>`c`") == "a&#124;b &lt;i&gt;&#96;c&#96;"


def test_only_what_stands_between_the_markers_is_renewed(tmp_path):
    page = tmp_path / "page.md"
    old = "before\n<!-- x:begin -->\nold\n<!-- x:end -->\nafter\n<!-- y:begin -->\nother\n<!-- y:end -->\n"
    page.write_text(old)
    assert renew(page, "x", "new\n", write=False)
    assert page.read_text() == old
    assert renew(page, "x", "new\n")
    assert page.read_text() == old.replace("old", "new")
    assert not renew(page, "x", "new\n")
    for without in ("no markers", "<!-- x:end -->\n<!-- x:begin -->"):
        page.write_text(without)
        with pytest.raises(Problem, match="there is no <!-- x:begin --> followed by <!-- x:end -->"):
            renew(page, "x", "new\n")
