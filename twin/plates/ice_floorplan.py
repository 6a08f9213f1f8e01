"""Read 3D-ICE's floorplans: blocks made of rectangles, with a power for each slot of time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twin.plates.ice_stack import Block, Floorplan, Rectangle
from twin.plates.ice_syntax import Faults, Section, is_finite, match, numbers, read_sections

_MICRO = 1e-6
_EDGE = 1e-9  # m; what counts as outside or as an overlap
_SHOWN = 5  # overlaps that are named


def read_floorplan(path: Path, length: float, width: float, faults: Faults) -> Floorplan:
    """Read a floorplan and check it against its die.

    Parameters
    ----------
    path : Path
    length, width : float    Of the die. [m]
    faults : Faults    Of this file; gets all of them.

    Returns
    -------
    Floorplan    Without the blocks that cannot be read.

    Raises
    ------
    InputError : the file cannot be read.
    """
    blocks: list[Block] = []
    for section in read_sections(path, faults):
        block = _read_block(section, faults)
        if block is None:
            continue
        if any(other.name == block.name for other in blocks):
            faults.add(f"block '{block.name}'", "", "", "stands twice", "Name each block once", block.line)
            continue
        for rectangle in block.rectangles:
            _check_inside(rectangle, block, length, width, faults)
        blocks.append(block)
    if not blocks:
        faults.add("floorplan", "", "", "has no block", "Add one: name : position, dimension, power values")
    _check_overlaps(blocks, faults)
    return Floorplan(str(path), tuple(blocks))


def _read_block(section: Section, faults: Faults) -> Block | None:
    heading = match(section.heading, "<name:word>")
    if heading is None:
        faults.add(
            "heading",
            "",
            section.heading.text,
            "is no name of a block",
            "Give one word",
            section.heading.line,
        )
        return None
    name = str(heading["name"])
    subject = f"block '{name}'"
    rectangles: list[Rectangle] = []
    position: tuple[float, float] | None = None
    powers: tuple[float, ...] = ()
    for statement in section.statements:
        if found := match(statement, "position <x:number> , <y:number>"):
            position = float(found["x"]), float(found["y"])
        elif found := match(statement, "dimension <l:number> , <w:number>"):
            if position is None:
                faults.add(
                    subject,
                    "dimension",
                    statement.text,
                    "stands without a position",
                    "Put the position before it",
                    statement.line,
                )
            else:
                rectangles.append(_rectangle((*position, float(found["l"]), float(found["w"]))))
                position = None
        elif found := match(statement, "rectangle ( <x:number> , <y:number> , <l:number> , <w:number> )"):
            rectangles.append(_rectangle([float(found[key]) for key in "xylw"]))
        elif [token.text for token in statement.tokens[:2]] == ["power", "values"]:
            values = numbers(statement.tokens[2:])
            if values is None:
                faults.add(
                    subject,
                    "power values",
                    statement.text,
                    "must be numbers with commas between",
                    "Mend it",
                    statement.line,
                )
                continue
            powers = tuple(values)
            if not is_finite(*powers) or min(powers) < 0.0:
                faults.add(
                    subject,
                    "power values",
                    statement.text[:60],
                    "must be finite and not below 0 W",
                    "Give a power for each slot",
                    statement.line,
                )
        else:
            faults.unknown(subject, statement, "position, dimension, rectangle, power values")
    if not rectangles:
        faults.add(
            subject, "", "", "has no place", "Add position and dimension, or rectangles", section.heading.line
        )
    return Block(name, tuple(rectangles), powers, section.heading.line)


def _rectangle(values: Sequence[float]) -> Rectangle:
    x, y, length, width = (_MICRO * value for value in values)
    return Rectangle(x, y, length, width)


def _check_inside(r: Rectangle, block: Block, length: float, width: float, faults: Faults) -> None:
    shown = f"{r.length / _MICRO:g} x {r.width / _MICRO:g} um at ({r.x / _MICRO:g}, {r.y / _MICRO:g})"
    subject = f"block '{block.name}'"
    if not (is_finite(r.x, r.y, r.length, r.width) and r.length > 0.0 and r.width > 0.0):
        faults.add(subject, "dimension", shown, "must be above 0 and finite", "Mend it", block.line)
    elif min(r.x, r.y) < -_EDGE or r.x + r.length > length + _EDGE or r.y + r.width > width + _EDGE:
        rule = f"the power map is larger than the die of {length / _MICRO:g} x {width / _MICRO:g} um"
        faults.add(subject, "dimension", shown, rule, "Keep it inside", block.line)


def _check_overlaps(blocks: list[Block], faults: Faults) -> None:
    """Name blocks that lie on one another; sorted by x, so that a large floorplan is no burden."""
    parts = sorted(((r, block) for block in blocks for r in block.rectangles), key=lambda part: part[0].x)
    told = 0
    open_: list[tuple[Rectangle, Block]] = []
    for r, block in parts:
        open_ = [part for part in open_ if part[0].x + part[0].length > r.x + _EDGE]
        for other, owner in open_:
            if min(r.y + r.width, other.y + other.width) - max(r.y, other.y) > _EDGE and told < _SHOWN:
                rule = f"overlaps block '{owner.name}'"
                faults.add(f"block '{block.name}'", "position", "", rule, "Move one of them", block.line)
                told += 1
        open_.append((r, block))
