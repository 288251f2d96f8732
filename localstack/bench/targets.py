"""What the project promises itself, held against what was measured."""

import os

OURS = "Function Runner, "
STACK = "FastAPI, boto3, dynalite"


def invoking(rows):
    """Warm SYNC invocations, language by language."""
    for language in ("Python", "Node"):
        us = rows[OURS + language]
        floor = next(row for name, row in rows.items() if name.startswith("floor") and row["language"] == language)
        peers = {name: row for name, row in rows.items()
                 if row["language"] == language and not name.startswith(("floor", OURS, "workerd"))}
        p50, per_second = us["one"]["p50_us"], us["many"]["per_second"]
        ratio = p50 / floor["one"]["p50_us"]
        yield f"{language}, warm SYNC p50 ÷ the floor's", "≤ 3", f"{ratio:.2f}", ratio <= 3
        name, best = min(peers.items(), key=lambda peer: peer[1]["one"]["p50_us"])
        ratio = p50 / best["one"]["p50_us"]
        yield f"{language}, warm SYNC p50 ÷ the best peer's but workerd ({name})", "< 1", f"{ratio:.2f}", ratio < 1
        name, best = max(peers.items(), key=lambda peer: peer[1]["many"]["per_second"])
        ratio = per_second / best["many"]["per_second"]
        yield f"{language}, requests per second at 16 ÷ the best peer's but workerd ({name})", "≥ 2", f"{ratio:.2f}", ratio >= 2
        if language == "Node":
            ratio = per_second / rows["workerd"]["many"]["per_second"]
            yield "Node, requests per second at 16 ÷ workerd's", "≥ 2", f"{ratio:.2f}", ratio >= 2
        ratio = per_second / floor["many"]["per_second"]
        yield f"{language}, requests per second at 16 ÷ the floor's", "≥ 0.4", f"{ratio:.2f}", ratio >= 0.4
        ratio = us["one"]["p99_us"] / p50
        yield f"{language}, p99 ÷ p50", "≤ 10", f"{ratio:.1f}", ratio <= 10


def reading(rows):
    us = rows[OURS + "token checked"]["many"]["per_second"]
    for name, least in (("floor: axum, one SQLite read", 0.5), (STACK, 20)):
        ratio = us / rows[name]["many"]["per_second"]
        yield f"GET /functions/{{id}}, requests per second at 16 ÷ {name.removeprefix('floor: ')}", f"≥ {least}", f"{ratio:.2f}", ratio >= least


def starting(figures):
    for language, alone in (("Python", "python3 -c pass"), ("Node", "node -e 0")):
        took = figures[f"{language}, with an interpreter at hand, p50"]
        yield f"{language}, first call, an interpreter at hand", "≤ 5 ms", f"{took:.1f} ms", took <= 5
        ratio = figures[f"{language}, without an interpreter at hand, p50"] / figures[alone]
        yield f"{language}, first call, none at hand ÷ {alone}", "≤ 1.3", f"{ratio:.2f}", ratio <= 1.3


def queueing(row):
    accepted = row["accepted per second"]
    yield "ASYNC, accepted per second, surviving power loss", "≥ 5,000", f"{accepted:,.0f}", accepted >= 5000
    wait = row["accepted to started, idle, by the record, p50 ms"]
    yield "ASYNC, accepted to started, idle", "≤ 5 ms", f"{wait:.0f} ms", wait <= 5
    lost = row["accepted"] - row["success"]
    yield f"ASYNC, lost or failed of {row['accepted']:,}", "0", str(lost), lost == 0
    behind = row["request to handler, behind the others, p50 ms"]
    if behind is not None:
        ratio = behind / row["request to handler, idle, p50 ms"]
        yield "ASYNC, a second tenant's start behind 10,000 jobs ÷ idle", "≤ 2", f"{ratio:.2f}", ratio <= 2


def keeping(figures):
    server = figures["server, so many functions, PSS MB"]
    yield f"Server's memory with {figures['functions']:,} functions", "≤ 40 MB", f"{server:.1f} MB", server <= 40
    worker = next(value for name, value in figures.items() if name.startswith("an idle Python worker"))
    yield "An idle Python worker's memory (PSS)", "≤ 8 MB", f"{worker:.1f} MB", worker <= 8
    gone = figures.get("seconds until idle Python workers are gone")
    if gone is not None:
        yield "Idle workers are gone after", "about 60 s", f"{gone:.0f} s", gone <= 66


def growing(rows):
    few, many = rows["jobs"][0], rows["jobs"][-1]
    for what, name in (("invoke", "Invoking"), ("read", "Reading a function"), ("job", "Reading a job")):
        ratio = many[what]["p50_us"] / few[what]["p50_us"]
        yield f"{name}, p50 with {many['jobs']:,} jobs ÷ with {few['jobs']:,}", "≤ 1.2", f"{ratio:.2f}", ratio <= 1.2


SECTIONS = {"invoke": invoking, "read": reading, "cold": starting, "queue": queueing, "memory": keeping, "growth": growing}


def busy(part):
    """Whether the machine had more to do than a measurement gives it."""
    return part.get("load", 0) > 3 * os.cpu_count()


def held(results):
    """(what, wanted, measured, whether it holds), of the sections that were measured whole."""
    for name, check in SECTIONS.items():
        # Latencies of a machine that was busy with other things tell nothing, and memory tells the same.
        if name in results and (name == "memory" or not busy(results[name])):
            try:
                yield from check(results[name]["rows"])
            except (KeyError, StopIteration, IndexError):
                # Only some of it was measured.
                continue
