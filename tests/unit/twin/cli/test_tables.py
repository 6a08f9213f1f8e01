"""Tables on narrow terminals: the band of every rack can be read."""

import io

import pytest
from rich.console import Console

from twin.cli.simulate import _print_heat
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


@pytest.mark.parametrize(("coils", "takers"), [({}, "by coolers,"), ({"D01": {}}, "by coolers and coils,")])
def test_the_heat_of_a_run_names_who_took_it_and_what_loops_had(capsys, coils, takers):
    names = ("released", "taken", "stored_air", "stored_servers", "chips", "chips_to_air")
    balances = {f"{name}_j": n * 1e6 for n, name in enumerate(names, 1)} | {"energy_relative": 0.001}
    _print_heat({"balances": balances, "loops": {"L1": {"coils": coils}}})
    said = " ".join(capsys.readouterr().out.split())
    assert "1.00 MJ released into the air, 2.00 MJ taken from it " + takers in said
    assert "drew 5.00 MJ: 6.00 MJ of it went into the air, -1.00 MJ into chips" in said
