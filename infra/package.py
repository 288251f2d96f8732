#!/usr/bin/env python3
"""Zips the Lambda binaries: package.py FOLDER-OF-BINARIES [--strip].

One zip in target/lambda/ per binary that the templates name, the same bytes for the same binary, so that a deployment
changes only what changed. Each path is printed with its size.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def binaries() -> list[str]:
    """What the templates deploy."""
    templates = [ROOT / "template.yaml", *sorted((ROOT / "infra").glob("*.yaml"))]
    return sorted({name for path in templates for name in re.findall(r"target/lambda/([\w-]+)\.zip", path.read_text())})


def limit(name: str) -> int:
    """The most that a binary may have for arm64, which is what AWS runs, in MB: a cold start loads it first."""
    return 8 if name.endswith("-table-routes") else 16



def package(name: str, binary: pathlib.Path, strip: bool, limited: bool) -> None:
    # cargo-lambda makes a folder of it.
    binary = binary / "bootstrap" if binary.is_dir() else binary
    target = ROOT / "target" / "lambda" / f"{name}.zip"
    target.parent.mkdir(parents=True, exist_ok=True)
    if strip:
        stripped = target.with_suffix(".stripped")
        subprocess.run(["strip", "-o", stripped, binary], check=True)
        content = stripped.read_bytes()
        stripped.unlink()
    else:
        content = binary.read_bytes()
        if limited and len(content) > limit(name) * 1e6:
            sys.exit(f"{name} has {len(content) / 1e6:.1f} MB, and may have {limit(name)}: see docs/PERFORMANCE.md")
    entry = zipfile.ZipInfo("bootstrap", date_time=(1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o755 << 16
    entry.create_system = 3
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(entry, content, compresslevel=1 if strip else 9)
    print(f"{target.relative_to(ROOT)}: {len(content) / 1e6:.1f} MB, zipped {target.stat().st_size / 1e6:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--strip", action="store_true", help="take debug information out")
    arguments = parser.parse_args()
    for name in binaries():
        package(name, arguments.folder / name, arguments.strip, limited=arguments.folder.name == "arm64")


if __name__ == "__main__":
    main()
