#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What test_cuda.sh and bench_cuda.sh have in common; to be sourced in the root of the repository. A machine with an NVIDIA GPU is
# assumed, and cmake, ninja, g++ and Python 3.10 to 3.13 with venv. With PAINN_WHEELS=DIR nothing is fetched: wheels and the
# headers of GoogleTest and nlohmann come from DIR, as scripts/bundle_cuda.sh fills it, and CUDA's libraries from the Python that
# is on the PATH (the nvidia packages that PyTorch brings). With PAINN_PREBUILT=1 the programs in $PAINN_BUILD are used as they are.
set -uo pipefail
PYTHON=${PYTHON:-python3}
OUTPUT=${PAINN_OUTPUT:-build/cuda-results}
BUILD=${PAINN_BUILD:-build/cuda}
WHEELS=${PAINN_WHEELS:-}
JOBS=${JOBS:-$(nproc)}
mkdir -p "$OUTPUT" "$BUILD"
OUTPUT=$(realpath "$OUTPUT")
BUILD=$(realpath "$BUILD")
VENV=$BUILD/venv
BIN=$VENV/bin
PAINN_COMMIT=${PAINN_COMMIT:-$(git rev-parse HEAD 2>/dev/null || cat .commit 2>/dev/null || echo unknown)}
export PAINN_COMMIT
table=""
failed=0

# step NAME SECONDS LOG COMMAND...: runs a command no longer than that, its output at the end of LOG, and notes how it went.
step() {
    local name=$1 limit=$2 log=$OUTPUT/$3 begin=$SECONDS status=0 verdict=passed own=$BUILD/step.log
    shift 3
    echo "== $name"
    timeout --kill-after=10 "$limit" "$@" >"$own" 2>&1 || status=$?
    { echo "== $name"; cat "$own"; } >>"$log"
    case $status in
        0) ;;
        124 | 137) verdict="TIMED OUT" failed=1 ;;
        *) verdict="FAILED ($status)" failed=1 ;;
    esac
    table+=$(printf '%-44s %-12s %5d s' "$name" "$verdict" "$((SECONDS - begin))")$'\n'
    [ $status = 0 ] || tail -n "${PAINN_TAIL:-25}" "$own"
    return $status
}

finish() {
    echo "$table" | tee "$OUTPUT/summary.txt"
    exit $failed
}

make_venv() {
    set -e
    [ -x "$BIN/python" ] || "$PYTHON" -m venv "$VENV"
    pip=("$BIN/python" -m pip --disable-pip-version-check install --quiet)
    if [ -n "$WHEELS" ]; then
        "${pip[@]}" --no-index --no-deps "$WHEELS"/*.whl
        # What else there is comes from the Python that was there before, e.g. numpy and torch.
        "$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("platlib"))' >"$("$BIN/python" -c \
            'import sysconfig; print(sysconfig.get_path("purelib"))')/outer.pth"
        if [ -e "$WHEELS/headers.tar.gz" ]; then
            mkdir -p "$BUILD/deps"
            tar -xzf "$WHEELS/headers.tar.gz" -C "$BUILD/deps"
            (cd "$BUILD/deps" && mkdir -p lib && for name in gtest-all gtest_main; do
                g++ -O1 -Iinclude -Isrc/googletest -c "src/googletest/src/$name.cc" -o "lib/$name.o" &
            done && wait && ar rcs lib/libgtest.a lib/gtest-all.o && ar rcs lib/libgtest_main.a lib/gtest_main.o)
        fi
    else
        PYTHON=$PYTHON scripts/setup.sh
        "${pip[@]}" -r requirements/build.txt "openmm-cuda-13==$(sed -n 's/^openmm==//p' requirements/build.txt)"
    fi
}

configure() {
    local python=OFF
    "$BIN/python" -c 'import os, sysconfig; os.stat(os.path.join(sysconfig.get_path("include"), "Python.h"))' && python=ON
    PATH="$BIN:$PATH" cmake -G Ninja -B "$BUILD" -S . -DPython_EXECUTABLE="$BIN/python" -DPAINN_BUILD_PYTHON=$python \
        -DPAINN_BUILD_TESTS=ON -DPAINN_BUILD_BENCHMARKS=ON -DCMAKE_PREFIX_PATH="$BUILD/deps" -DGTEST_ROOT="$BUILD/deps"
}

# CUDA's libraries are beside OpenMM in an ordinary installation; otherwise where another Python has them.
use_cuda_libraries() {
    local folders
    folders=$("$PYTHON" - <<'END'
import glob, os, sysconfig
print(":".join(sorted(glob.glob(os.path.join(sysconfig.get_path("platlib"), "nvidia", "*", "lib")))))
END
    )
    export LD_LIBRARY_PATH="$folders${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
}

# The driver, the virtual environment and the programs that are named.
build_for_cuda() {
    step "driver" 60 build.log nvidia-smi || finish
    use_cuda_libraries
    [ -z "${PAINN_PREBUILT:-}" ] || return 0
    step "virtual environment" 600 build.log bash -c 'source scripts/cuda_env.sh; make_venv' || finish
    step "configure" 120 build.log bash -c 'source scripts/cuda_env.sh; configure' || finish
    step "build" 900 build.log env PATH="$BIN:$PATH" cmake --build "$BUILD" --parallel "$JOBS" --target "$@" || finish
}
