"""Stacks, after the description of 3D-ICE's own test stacks, and plates as text; where files are found."""

from __future__ import annotations

from pathlib import Path

import pytest

MATERIAL = """
material silicon :
   thermal conductivity 1.30e-04 ;
   volumetric heat capacity 1.63566e-12 ;
"""
COOLANT = """
   coolant volumetric heat capacity 4.172638e-12 ;
   coolant incoming temperature 300.0 ;
"""
CAVITY = {
    "4rm": """
microchannel 4rm :
   height 100 ; channel length 50 ; wall length 50 ; first wall length 25 ; last wall length 25 ;
   wall material silicon ; coolant flow rate 48 ;
   coolant heat transfer coefficient side 2.7132e-8, top 4.7132e-8, bottom 5.7132e-8 ;"""
    + COOLANT,
    "2rm": """
microchannel 2rm :
   height 100 ; channel length 50 ; wall length 50 ; wall material silicon ; coolant flow rate 48 ;
   coolant heat transfer coefficient top 4.7132e-8, bottom 5.7132e-8 ;"""
    + COOLANT,
    "pinfin": """
pinfin :
   height 100 ; pin diameter 50 ; pin pitch 100 ; pin distribution inline ; pin material silicon ;
   darcy velocity 1.1066e6 ;"""
    + COOLANT,
    "top": "top heat sink : heat transfer coefficient 1e-7 ; temperature 300 ;",
    "bottom": "bottom heat sink : heat transfer coefficient 1e-7 ; temperature 300 ;",
}
BACKGROUND = "all : position 0, 0 ; dimension 10000, 10000 ; power values 50, 0, 50 ;"
QUADRANTS = """
sw : position    0,    0 ; dimension 5000, 5000 ; power values 12.5 ;
se : rectangle (5000, 0, 5000, 2500) ; rectangle (5000, 2500, 5000, 2500) ; power values 0 ;
nw : position    0, 5000 ; dimension 5000, 5000 ; power values 0 ;
ne : position 5000, 5000 ; dimension 5000, 5000 ; power values 12.5 ;
"""


def stack_text(kind: str, cell: int, solver: str = "steady ;", output: str = "", upper: str = "background"):
    """Two dies of 48 + 2 um silicon with what `kind` says between or beside them."""
    channel = "" if kind in ("top", "bottom") else "channel gap ;"
    return f"""{MATERIAL}{CAVITY[kind]}
dimensions : chip length 10000, width 10000 ; cell length {cell}, width 200 ;
die lower : layer 48 silicon ; source 2 silicon ;
die upper : source 2 silicon ; layer 48 silicon ;   // from above downwards
stack :
   die die2 upper floorplan "{upper}.flp" ;
   {channel}
   die die1 lower floorplan "background.flp" ;
solver : {solver} initial temperature 300 ;
output :
   T (die1, 5000, 4800, "out/node1.txt", step) ;
   T (die2, 0, 0, "out/node2.txt", step) ;
   {output}
"""


@pytest.fixture
def write_stack(tmp_path):
    """Write a stack and its floorplans; returns the path."""
    (tmp_path / "background.flp").write_text(BACKGROUND)
    (tmp_path / "quadrants.flp").write_text(QUADRANTS)

    def write(kind: str, cell: int = 200, **options: str) -> Path:
        path = tmp_path / f"{kind}.stk"
        path.write_text(stack_text(kind, cell, **options))
        return path

    return write


PLATE = """
name: small plate
coolant: {fluid: water, inlet_temperature: 30, flow: 0.15 l/min}
plate: {width: 8 mm, length: 12 mm, base: 1 mm, lid: 1 mm}
channels: {width: 0.4 mm, height: 1.5 mm, wall: 0.4 mm, count: 8, margin: 0.5 mm}
package:
  - {material: silicon, thickness: 0.5 mm}
  - {material: thermal_paste, thickness: 50 um}
chips:
  - {id: left, position: [1 mm, 2 mm], size: [3 mm, 8 mm], power: 40, limit: 80}
  - {id: right, position: [5 mm, 4 mm], size: [2 mm, 4 mm], power: 10}
probes:
  - {id: middle, position: [2.5 mm, 6 mm]}
"""


@pytest.fixture
def write_plate(tmp_path):
    """Write a small plate, with parts of its text changed, and a text added; returns the path."""

    def write(*changes: tuple[str, str], more: str = "", name: str = "plate.yaml") -> Path:
        text = PLATE
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        path = tmp_path / name
        path.write_text(text + more)
        return path

    return write


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of published figures beside the checkout."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "shared/reference/stacks").is_dir():
            return folder / "shared/reference"
    pytest.skip("shared/reference is not beside the checkout")
