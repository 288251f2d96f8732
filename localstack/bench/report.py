"""The tables and plots, of the results."""

import os
import platform
import re
import subprocess
from pathlib import Path

import plots
import targets
from measuring import ROOT
from peers import NODE

DOCUMENT = ROOT / "docs/PERFORMANCE.md"
PLOTS = ROOT / "docs/performance"
MARKS = ("<!-- bench: begin -->", "<!-- bench: end -->")


def machine():
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    node = subprocess.check_output([NODE, "--version"], text=True).strip()
    return (f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} CPUs, {memory:.0f} GB, Linux {platform.release()}; "
            f"Python {platform.python_version()}, Node {node}")


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def compared(rows, ours):
    """How many times as much as each of them we take, or do."""
    head = ["", "p50 µs", "p99 µs", "req/s at 16", "CPU µs/req at 16", "first call ms", "boot ms", "PSS MB", "our p50 ÷ its", "our req/s ÷ its"]
    shown = []
    for name, row in rows.items():
        us = rows[ours(row)]
        mine = row is us
        shown.append([
            f"**{name}**" if mine else name, f"{row['one']['p50_us']:,.0f}", f"{row['one']['p99_us']:,.0f}", f"{row['many']['per_second']:,.0f}",
            f"{row['many']['cpu_us']:,.0f}", f"{row['cold_ms']:.1f}", f"{row['boot_ms']:,.0f}", f"{row['pss_mb']:.0f}",
            "" if mine else f"{us['one']['p50_us'] / row['one']['p50_us']:.2f}",
            "" if mine else f"{us['many']['per_second'] / row['many']['per_second']:.2f}",
        ])
    return table(head, shown)


def figures(rows):
    def text(value):
        if isinstance(value, list):
            return " to ".join(text(part) for part in value)
        return f"{value:,}" if isinstance(value, int) else "–" if value is None else f"{value:,.1f}"
    return table(["", ""], [[name, text(value)] for name, value in rows.items()])


def plot(name, *arguments, **options):
    PLOTS.mkdir(exist_ok=True)
    (PLOTS / f"{name}.svg").write_text(plots.lines(*arguments, **options))
    return f"![{arguments[0]}](performance/{name}.svg)"


def growth(rows):
    def line(of, x, what, figure):
        return [(row[x], row[what][figure]) for row in rows[of]]

    def cells(row, first):
        return [f"{row[first]:,}", *(f"{row[what][figure]:,.0f}" for what in ("invoke", "read") for figure in ("p50_us", "p99_us", "per_second"))]

    head = ["invoke p50 µs", "p99 µs", "req/s", "read p50 µs", "p99 µs", "req/s"]
    jobs = [[f"{row['jobs']:,}", *(f"{row[what]['p50_us']:,.0f}" for what in ("invoke", "read", "job", "list"))] for row in rows["jobs"]]
    return [
        "With stored jobs, one connection, p50 µs:",
        table(["jobs", "invoke", "read a function", "read a job", "list 50 jobs"], jobs),
        plot("jobs", "p50 with stored jobs, one connection", "jobs stored", "µs", {
            name: line("jobs", "jobs", what, "p50_us") for name, what in (("invoke", "invoke"), ("read function", "read"), ("read job", "job"))}),
        "With stored functions, one connection:",
        table(["functions", *head, "server PSS MB"], [[*cells(row, "functions"), f"{row['server_pss_mb']:.1f}"] for row in rows["functions"]]),
        plot("functions", "p50 with stored functions, one connection", "functions stored", "µs", {
            name: line("functions", "functions", what, "p50_us") for name, what in (("invoke", "invoke"), ("read function", "read"))}),
        "With connections, each with one request at a time, all of one function (of which ten run at once):",
        table(["connections", *head], [cells(row, "connections") for row in rows["connections"]]),
        plot("connections", "Requests per second by connections", "connections", "per second", {
            name: line("connections", "connections", what, "per_second") for name, what in (("invoke", "invoke"), ("read function", "read"))},
            logarithmic=False),
    ]


def profile(rows):
    load = rows["load"]
    parts = [f"`perf record -a` while 16 connections invoke a Python function ({load['per_second']:,.0f} per second). `load` is the load "
             "generator, `tokio-*` the server's threads, `sqlite-*` its writer, its syncer and its checkpointer."]
    for kind, name in (("comm", "thread"), ("comm,dso", "thread, library"), ("comm,sym", "thread, function")):
        lines = rows.get(kind, [])[:14]
        parts.append(table(["share", name], [[share, f"`{' '.join(of.split())}`"] for share, of in lines]))
    return parts


def render(results):
    """The text between the marks."""
    when = ", ".join(sorted({f"{part['when']} at {part['commit']}" for part in results.values()}))
    seconds = sorted({part["seconds"] for part in results.values()})
    parts = [f"Measured {when}: {machine()}. {' or '.join(f'{s:g}' for s in seconds)} s a figure."]
    rows = {name: part["rows"] for name, part in results.items()}
    shown = [[what, wanted, measured, "yes" if good else "**no**"] for what, wanted, measured, good in targets.held(results)]
    parts += ["### What is promised, and what was measured", table(["", "promised", "measured", "kept"], shown)]
    if "invoke" in rows:
        parts += ["### SYNC invocations, warm", compared(rows["invoke"], lambda row: targets.OURS + row["language"])]
    if "read" in rows:
        parts += ["### Reading a function by id", compared(rows["read"], lambda _: targets.OURS + "token checked")]
    if "cold" in rows:
        parts += ["### First calls, in milliseconds", figures(rows["cold"])]
    if "queue" in rows:
        parts += ["### ASYNC", figures(rows["queue"])]
    if "memory" in rows:
        parts += ["### Memory", figures(rows["memory"])]
    if rows.get("growth"):
        noisy = ["The machine was busy with other work meanwhile (load %.0f): noise only adds." % results["growth"]["load"]
                 ] if targets.busy(results["growth"]) else []
        parts += ["### How cost grows", *noisy, *growth(rows["growth"])]
    if rows.get("profile"):
        parts += ["### Where the time goes", *profile(rows["profile"])]
    return "\n\n".join(parts)


def write(results):
    before, rest = DOCUMENT.read_text().split(MARKS[0])
    DOCUMENT.write_text(before + MARKS[0] + "\n" + render(results) + "\n" + MARKS[1] + rest.split(MARKS[1])[1])
