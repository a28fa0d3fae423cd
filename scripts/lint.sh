#!/bin/sh
# SPDX-License-Identifier: MIT
# Formatting, Python lint and the include rule. With --fix it formats instead of complaining.
set -eu
cd "$(dirname "$0")/.."
sources=$(git ls-files '*.cpp' '*.h' '*.cu' '*.cuh')
if [ "${1:-}" = "--fix" ]; then
    # shellcheck disable=SC2086
    clang-format -i $sources
    ruff check --quiet --fix .
    ruff format --quiet .
else
    # shellcheck disable=SC2086
    clang-format --dry-run --Werror $sources
    ruff check --quiet .
    ruff format --quiet --check .
fi
python scripts/check_includes.py
echo "lint: formatting, Python lint and include rule are fine"
