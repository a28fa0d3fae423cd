# SPDX-License-Identifier: MIT
"""Pieces of the model cards."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any

__all__ = ["markdown_table", "wrapped"]


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table; numbers with one decimal, None as a dash."""

    def cell(value: Any) -> str:
        return "-" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)

    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell(value) for value in line) + " |" for line in lines)


def wrapped(text: str) -> str:
    """The text with its paragraphs and list entries filled to 120 columns; tables and headings stay."""
    blocks = []
    for block in text.rstrip().split("\n\n"):
        if block.startswith("- "):
            entries = ("- " + " ".join(entry.split()) for entry in re.split(r"(?m)^- ", block) if entry)
            block = "\n".join(textwrap.fill(entry, 120, subsequent_indent="  ") for entry in entries)
        elif not block.startswith(("|", "#", "`")):
            block = textwrap.fill(" ".join(block.split()), 120)
        blocks.append(block)
    return "\n\n".join(blocks) + "\n"
