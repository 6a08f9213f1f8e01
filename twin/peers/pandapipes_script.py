"""Solve networks with pandapipes: descriptions as JSON on standard input, results on standard output.

Runs under any interpreter that has pandapipes; needs nothing of this project. See asking.py.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import pandapipes as pp  # pyright: ignore[reportMissingImports]

_REPEATS = 5  # timed solves; the shortest counts


def solve(description):
    """Return flows [kg/s] and outlet temperatures [K] of branches, pressures [Pa] of junctions, time [s]."""
    net = pp.create_empty_network(description["name"], fluid="water")
    at = {
        name: pp.create_junction(net, pn_bar=3.0, tfluid_k=description["T_start"], name=name)
        for name in description["junctions"]
    }
    for name, (p, T) in description["grids"].items():
        known = {"t_k": T, "type": "pt"} if T is not None else {"type": "p"}
        pp.create_ext_grid(net, at[name], p_bar=p / 1e5, **known)
    for name, (a, b, length, diameter, roughness, U) in description["pipes"].items():
        pp.create_pipe_from_parameters(
            *(net, at[a], at[b]),
            length_km=length / 1000,
            inner_diameter_mm=diameter * 1000,
            k_mm=roughness * 1000,
            u_w_per_m2k=U,
            text_k=description["T_ambient"],
            sections=20,
            name=name,
        )
    for name, (a, b, diameter, loss, heat) in description["heaters"].items():
        pp.create_heat_exchanger(
            net,
            at[a],
            at[b],
            qext_w=-heat,
            inner_diameter_mm=diameter * 1000,
            loss_coefficient=loss,
            name=name,
        )
    for name, (a, b, points) in description["pumps"].items():
        pp.create_pump_from_parameters(
            *(net, at[a], at[b], name),
            pressure_list=[rise / 1e5 for _, rise in points],
            flowrate_list=[V * 3600 for V, _ in points],
            reg_polynomial_degree=2,
            name=name,
        )
    for name, m_flow in description["sinks"].items():
        pp.create_sink(net, at[name], mdot_kg_per_s=m_flow)
    options = {
        "friction_model": "colebrook",
        "mode": "bidirectional",
        "tol_p": 1e-7,
        "tol_m": 1e-7,
        "tol_T": 1e-5,
    }
    options |= {
        "max_iter_hyd": 400,
        "max_iter_therm": 400,
        "max_iter_bidirect": 400,
        "max_iter_colebrook": 50,
    }
    if description["pumps"]:  # it does not converge undamped with pumps side by side
        options["alpha"] = 0.3
    pp.pipeflow(net, **options)
    took = float("inf")
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        pp.pipeflow(net, **options)
        took = min(took, time.perf_counter() - begin)
    m_flow, T_out = {}, {}
    for table, results in (
        (net.pipe, net.res_pipe),
        (net.pump, net.res_pump),
        (net.heat_exchanger, net.res_heat_exchanger),
    ):
        for index, row in table.iterrows():
            m = float(results.mdot_from_kg_per_s[index])
            m_flow[row["name"]] = m
            T_out[row["name"]] = float(results.t_outlet_k[index]) if "t_outlet_k" in results else None
    pressure = {row["name"]: float(net.res_junction.p_bar[i]) * 1e5 for i, row in net.junction.iterrows()}
    T = {row["name"]: float(net.res_junction.t_k[i]) for i, row in net.junction.iterrows()}
    return {"m_flow": m_flow, "T_out": T_out, "p": pressure, "T": T, "wall_s": took}


def main():
    """Answer one list of descriptions."""
    warnings.simplefilter("ignore")  # pandas' and pandapipes' own
    results = {description["name"]: solve(description) for description in json.load(sys.stdin)}
    json.dump({"version": pp.__version__, "results": results}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
