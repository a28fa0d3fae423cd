# SPDX-License-Identifier: MIT
"""The include rule: which part of the sources may include which (CONTRIBUTING.md)."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]', re.M)
# Each part, and the parts whose headers it may include besides its own.
ALLOWED = {
    "network": [],
    "openmmapi": ["network"],
    "serialization": ["openmmapi"],
    "platforms/common": ["openmmapi", "network"],
    "platforms/reference": ["openmmapi", "network", "platforms/common"],
    "platforms/cpu/evaluator": ["network", "platforms/common"],
    "platforms/cpu/src": ["openmmapi", "network", "platforms/common", "platforms/cpu/evaluator"],
    "platforms/cuda/evaluator": ["network", "platforms/common"],
    "platforms/cuda/src": ["openmmapi", "network", "platforms/common", "platforms/cuda/evaluator"],
    "engines/torch": ["network", "openmmapi", "platforms/common"],
}
# Parts that are put together in one text, and include nothing at all.
TEXTS = ["platforms/cuda/evaluator/kernels"]
# Parts that know arrays only, and the headers of OpenMM that they may include.
ARRAYS_ONLY: dict[str, list[str]] = {
    "network": [],
    "platforms/cpu/evaluator": ["openmm/internal/ThreadPool.h"],
    "platforms/cuda/evaluator": ["openmm/OpenMMException.h"],
    "engines/torch": [],
}


def sources(part: str) -> list[pathlib.Path]:
    """All C++ files of a part."""
    return sorted(p for p in (ROOT / part).rglob("*") if p.suffix in (".h", ".cpp"))


def main() -> int:
    """Print every include that breaks the rule; return their number capped at 1."""
    ruled = {path for part in ALLOWED for path in sources(part)}
    faults = [
        f"{path.relative_to(ROOT)} has no rule in scripts/check_includes.py"
        for path in sources("platforms") + sources("engines")
        if path not in ruled
    ]
    headers = {part: {path.name for path in sources(part) if path.suffix == ".h"} for part in ALLOWED}
    for part, allowed in ALLOWED.items():
        for path in sources(part):
            for name in INCLUDE.findall(path.read_text()):
                owners = [other for other in headers if pathlib.PurePath(name).name in headers[other]]
                external = name.startswith("openmm/") or name == "OpenMM.h"
                if external and name not in ARRAYS_ONLY.get(part, [name]):
                    faults.append(f"{path.relative_to(ROOT)}: {part} knows arrays only and may not include {name}")
                elif not external and owners and not {part, *allowed}.intersection(owners):
                    faults.append(f"{path.relative_to(ROOT)}: {part} may not include {name} of {owners[0]}")
    for part in TEXTS:
        for path in sorted((ROOT / part).iterdir()):
            faults += [f"{path.relative_to(ROOT)} may not include {name}" for name in INCLUDE.findall(path.read_text())]
    print("\n".join(faults), end="\n" if faults else "")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
