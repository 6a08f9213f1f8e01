"""Tables on narrow terminals: the band of every rack can be read."""

import io

import pytest
from rich.console import Console

from twin.cli.solve import SPARED, fitting_table

COLUMNS = (
    "rack", "kW", "mean degC", "max degC", "outlet degC", "swing K", "+- K", "cold %", "hot %", "class",
    "band",
)  # fmt: skip
ROW = ("R01", "12.00", "24.5", "27.9", "41.3", "0.12", "0.03", "91", "87", "A1", "[green]recommended[/]")


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_head_and_no_cell_is_cut(width):
    console = Console(file=io.StringIO(), width=width)
    table, dropped = fitting_table({"overrides": [], "layout": "Pod"}, "inlets", COLUMNS, [ROW], console)
    console.print(table)
    text = console.file.getvalue()
    assert "recommended" in text
    assert "…" not in text
    kept = [cell for name, cell in zip(COLUMNS, ROW, strict=True) if name not in (*dropped, "band")]
    assert all(f" {cell} " in text for cell in kept)
    assert dropped == SPARED[: len(dropped)]
    assert bool(dropped) == (width < 89)  # 55 characters of cells, 11 columns with their edges


def test_heads_stay_whole_where_there_is_room():
    console = Console(file=io.StringIO(), width=140)
    table, _ = fitting_table({"overrides": [], "layout": "Pod"}, "inlets", COLUMNS, [ROW], console)
    assert [column.header for column in table.columns] == list(COLUMNS)
