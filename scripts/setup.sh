#!/bin/sh
# SPDX-License-Identifier: MIT
# Checks what only the system can give (compiler, headers) and installs it with apt when that is allowed;
# otherwise prints the line to run. Debian 12 and Ubuntu 24.04 use the same package names. With --opencl it looks for an
# OpenCL driver instead, which only tests need: without one they say that they were skipped.
set -eu
PYTHON=${PYTHON:-python3}
missing=""
need() { # need PACKAGE COMMAND...: the package is missing if the command fails
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}
header() { echo "#include <$1>" | g++ -std=c++17 -fsyntax-only -x c++ -; }
library() { echo 'int main() {}' | g++ -x c++ - "-l$1" -o /dev/null; }
opencl() { ls /etc/OpenCL/vendors/*.icd && ldconfig -p | grep -q 'libOpenCL\.so\.1 '; } # a driver, and what loads it

command -v "$PYTHON" >/dev/null || { echo "No $PYTHON found: install Python 3.10 to 3.13 (apt-get install python3)" >&2; exit 1; }
"$PYTHON" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || {
    echo "$PYTHON is $("$PYTHON" --version), but Python 3.10 to 3.13 is needed; name another one with make PYTHON=..." >&2
    exit 1
}
if [ "${1:-}" = "--opencl" ]; then
    opencl >/dev/null 2>&1 && exit 0
    if [ "$(id -u)" != 0 ]; then
        echo "No OpenCL driver found: tests of that platform will be skipped (sudo apt-get install pocl-opencl-icd ocl-icd-libopencl1)"
        exit 0
    fi
    missing=" pocl-opencl-icd ocl-icd-libopencl1"
else
    need g++ g++ --version
    need nlohmann-json3-dev header nlohmann/json.hpp
    need libgtest-dev library gtest
    need python3-venv "$PYTHON" -c 'import ensurepip, venv'
    need python3-dev "$PYTHON" -c 'import os, sysconfig; os.stat(os.path.join(sysconfig.get_path("include"), "Python.h"))'
fi

if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ]; then
        echo "Installing system packages:$missing"
        apt-get update -qq
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
    else
        echo "These system packages are missing; run this once, then make again:" >&2
        echo "    sudo apt-get install$missing" >&2
        exit 1
    fi
fi
