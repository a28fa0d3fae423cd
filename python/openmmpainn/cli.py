# SPDX-License-Identifier: MIT
"""The command ``openmmpainn``. Exit codes: 0 success, 1 a check failed, 2 a usage or input error, 130 interrupted."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import NoReturn

from .commands import benchmark, check, convert, distil, evaluate, info
from .model_warnings import ModelWarning

__all__ = ["main"]

USAGE_ERROR = 2
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence instead of printing the whole usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"{self.prog}: {message} (see {self.prog} --help)\n")


class _Version(argparse.Action):
    """Prints the versions; they are looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *unused: object) -> NoReturn:
        from importlib.metadata import PackageNotFoundError, version

        import openmm

        try:
            own = version("openmmpainn")
        except PackageNotFoundError:
            own = "(not installed)"
        print(f"openmmpainn {own} (OpenMM {openmm.Platform.getOpenMMVersion()})")
        parser.exit()


@contextlib.contextmanager
def _libraries_print_on_stderr() -> Iterator[None]:
    """Send what C++ libraries print on stdout to stderr (OpenCL's do): stdout holds our answer and nothing else."""
    sys.stdout.flush()
    ours, python_stdout = os.dup(1), sys.stdout
    os.dup2(2, 1)
    direct = python_stdout is sys.__stdout__
    if direct:
        sys.stdout = os.fdopen(os.dup(ours), "w", encoding=python_stdout.encoding, errors=python_stdout.errors)
    try:
        yield
    finally:
        try:
            if direct:
                sys.stdout.close()
        finally:
            sys.stdout = python_stdout
            ctypes.CDLL(None).fflush(None)
            os.dup2(ours, 1)
            os.close(ours)


def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="openmmpainn", description="PaiNN neural network potentials as an OpenMM Force.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the versions and exit")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (info, convert, evaluate, check, benchmark, distil):
        command.add(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line without the program's name; by default that of the process.

    Returns
    -------
    int
        The exit code.
    """
    parsed = _build_parser().parse_args(arguments)
    import openmm

    warnings.simplefilter("ignore", ModelWarning)  # the commands print them in their own way
    try:
        with _libraries_print_on_stderr():
            return parsed.run(parsed)
    except KeyboardInterrupt:
        print("openmmpainn: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, e.g. head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (openmm.OpenMMException, ValueError, OSError, ImportError) as error:
        print(f"openmmpainn: {' '.join(str(error).split())}", file=sys.stderr)
        return USAGE_ERROR


if __name__ == "__main__":
    sys.exit(main())
