# SPDX-License-Identifier: BSD-2-Clause
"""The parts of RESULTS.md, each written by one program."""
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
TITLE = "# What it costs: measured by `make bench`"


def put(heading, text):
    """Puts the part of that heading in the place of the one there is, else behind the others."""
    old = RESULTS.read_text() if RESULTS.exists() else TITLE
    title, *parts = old.split("\n## ")
    kept = {part.split("\n", 1)[0]: part.strip() for part in parts}
    kept[heading] = f"{heading}\n\n{text.strip()}"
    RESULTS.write_text("\n\n## ".join([title.strip(), *kept.values()]) + "\n")
