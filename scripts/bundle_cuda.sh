#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fills a folder with all that scripts/test_cuda.sh needs on a GPU machine without network (PAINN_WHEELS=DIR): wheels for that
# machine's Python, headers of GoogleTest and nlohmann, and the sources at HEAD.
# bundle_cuda.sh DIR [PYTHON VERSION of that machine, e.g. 3.12]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath "$1")
version=${2:-3.12}
mkdir -p "$folder"
openmm=$(sed -n 's/^openmm==//p' requirements/build.txt)
want=("openmm==$openmm" "openmm-cuda-13==$openmm" packaging==25.0 pathspec==0.12.1
    # for the tests of the LibTorch engine; PyTorch is that of the machine
    pytest==9.0.2 iniconfig==2.3.1 pluggy==1.7.0 pygments==2.21.0)
while read -r line; do
    case $line in swig==* | scikit-build-core==*) want+=("$line") ;; esac
done <requirements/build.txt
for package in "${want[@]}"; do
    python3 -m pip --disable-pip-version-check download --quiet --no-deps --only-binary=:all: --dest "$folder" \
        --python-version "$version" --implementation cp --platform manylinux_2_34_x86_64 --platform manylinux_2_28_x86_64 \
        --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --platform manylinux_2_12_x86_64 "$package"
done
headers=$(mktemp -d)
trap 'rm -rf "$headers"' EXIT
mkdir -p "$headers/include" "$headers/src" "$headers/share/cmake"
cp -r /usr/include/gtest /usr/include/nlohmann "$headers/include/"
cp -r /usr/src/googletest/googletest "$headers/src/"
cp -r /usr/share/cmake/nlohmann_json "$headers/share/cmake/"
tar -czf "$folder/headers.tar.gz" -C "$headers" .
git rev-parse HEAD >"$headers/.commit"
git archive --format=tar --add-file="$headers/.commit" HEAD | gzip >"$folder/source.tar.gz"
du -sh "$folder"
