"""The benchmark: floors, peers and us in turn, each answer checked. Use `make bench`.

Installs what it compares with into target/bench, measures on 127.0.0.1, keeps each section's results in
target/bench/results.json, and writes tables and plots of all of them to docs/.
"""

import argparse
import json
import os
import subprocess
import time

import peers
import report
import sections
import targets
from measuring import ROOT, WORK

RESULTS = WORK / "results.json"


def kept():
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("sections", nargs="*", metavar="SECTION", help=f"measure only these: {', '.join(sections.ALL)}")
    asked.add_argument("--seconds", type=float, default=4, help="that each figure takes (4); below 2 also less is stored")
    asked.add_argument("--only", default="", metavar="PART", help="measure only peers with this in their names, and us; keep nothing")
    asked.add_argument("--no-build", action="store_true", help="measure what was built before")
    asked.add_argument("--render", action="store_true", help="measure nothing; write the tables of what is kept")
    asked.add_argument("--no-render", action="store_true", help="keep the results, and write no tables")
    told = asked.parse_args()
    if unknown := set(told.sections) - set(sections.ALL):
        asked.error(f"there is no section {', '.join(unknown)}")
    peers.install()
    if not told.no_build and not told.render:
        peers.build()
    commit = subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, text=True).strip()
    for name in [] if told.render else told.sections or sections.ALL:
        rows = sections.ALL[name](told.seconds, told.only)
        results = kept()
        results[name] = {"when": time.strftime("%Y-%m-%d"), "commit": commit, "seconds": told.seconds, "rows": rows,
                         "load": os.getloadavg()[0]}
        if not told.only:
            RESULTS.write_text(json.dumps(results, indent=1))
    results = kept()
    for what, wanted, measured, good in targets.held(results):
        print(f"{'ok  ' if good else 'MISS'} {what}: {measured} ({wanted})")
    if told.render or not (told.only or told.no_render):
        report.write(results)


if __name__ == "__main__":
    main()
