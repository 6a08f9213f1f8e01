"""The stacks of 3D-ICE's own test suite, written from their description: its files are not part of this.

Two dies of 48 um and 2 um silicon, 10 x 10 mm, with a layer of channels or pins of 100 um between them, or a
heat sink on one side. Source: the figures of esl-epfl/3d-ice, test/*/*.stk, commit 39d2a7ad.
"""

from __future__ import annotations

from pathlib import Path

NODES = {"mc4rm": (324.541, 311.165), "mc2rm": (324.602, 311.251)}
"""What 3D-ICE expects at two nodes, steady, by stack. [K]"""
_COOLANT = """
   coolant volumetric heat capacity 4.172638e-12 ;
   coolant incoming temperature 300.0 ;
"""
STACKS = {
    "mc4rm": """
microchannel 4rm :
   height 100 ; channel length 50 ; wall length 50 ; first wall length 25 ; last wall length 25 ;
   wall material silicon ; coolant flow rate 48 ;
   coolant heat transfer coefficient side 2.7132e-8, top 4.7132e-8, bottom 5.7132e-8 ;"""
    + _COOLANT,
    "mc2rm": """
microchannel 2rm :
   height 100 ; channel length 50 ; wall length 50 ; wall material silicon ; coolant flow rate 48 ;
   coolant heat transfer coefficient top 4.7132e-8, bottom 5.7132e-8 ;"""
    + _COOLANT,
    "pf2rm": """
pinfin :
   height 100 ; pin diameter 50 ; pin pitch 100 ; pin distribution inline ; pin material silicon ;
   darcy velocity 1.1066e6 ;"""
    + _COOLANT,
    "topsink": "top heat sink : heat transfer coefficient 1e-7 ; temperature 300 ;",
    "bottomsink": "bottom heat sink : heat transfer coefficient 1e-7 ; temperature 300 ;",
}
"""What lies between the dies, or on them; by the reference's names."""
_EVEN = "all : position 0, 0 ; dimension 10000, 10000 ; power values 50, 0, 50 ;"
_QUADRANTS = """
sw : position    0,    0 ; dimension 5000, 5000 ; power values 12.5 ;
se : position 5000,    0 ; dimension 5000, 5000 ; power values 0 ;
nw : position    0, 5000 ; dimension 5000, 5000 ; power values 0 ;
ne : position 5000, 5000 ; dimension 5000, 5000 ; power values 12.5 ;
"""


def write_stack(place: Path, kind: str, solver: str = "steady ;") -> Path:
    """Write a stack and its floorplans.

    Parameters
    ----------
    place : Path    Folder.
    kind : str    Of `STACKS`.
    solver : str    What the file says of steady or transient; slots have 50 W, none and 50 W in each die.

    Returns
    -------
    Path    Of the stack; its probes end in ``node1`` and ``node2``.
    """
    (place / "even.flp").write_text(_EVEN, encoding="utf-8")
    (place / "quadrants.flp").write_text(_QUADRANTS, encoding="utf-8")
    solid = "sink" in kind
    cell = 50 if kind == "mc4rm" or solid else 200
    text = f"""
material silicon :
   thermal conductivity 1.30e-04 ;
   volumetric heat capacity 1.63566e-12 ;
{STACKS[kind]}
dimensions : chip length 10000, width 10000 ; cell length {cell}, width 200 ;
die lower : layer 48 silicon ; source 2 silicon ;
die upper : source 2 silicon ; layer 48 silicon ;
stack :
   die die2 upper floorplan "{"quadrants" if solid else "even"}.flp" ;
   {"" if solid else "channel gap ;"}
   die die1 lower floorplan "even.flp" ;
solver : {solver} initial temperature 300 ;
output :
   T (die1, 5000, 4800, "node1.txt", step) ;
   T (die2, 0, 0, "node2.txt", step) ;
"""
    path = place / f"{kind}.stk"
    path.write_text(text, encoding="utf-8")
    return path
