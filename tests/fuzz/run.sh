#!/bin/sh
# SPDX-License-Identifier: MIT
# Fuzz the model reader under AddressSanitizer and UBSan: tests/fuzz/run.sh [RUNS [SEED]].
# The compiler is CXX, or else clang++ where its libFuzzer is of use, or else g++.
set -eu
runs=${1:-1000000}
seed=${2:-1}
jobs=${JOBS:-$(nproc)}
python=${PAINN_PYTHON:-python3}
here=$(cd "$(dirname "$0")" && pwd)
build=$here/../../build/fuzz
mkdir -p "$build"
build=$(cd "$build" && pwd)
include=${OPENMM_INCLUDE_DIR:-$("$python" -c 'import openmm.version as v; print(v.openmm_library_path + "/../include")')}

# Runs up to a million, as in make test, are the same on every machine; libFuzzer, which learns from coverage, leads longer ones.
libfuzzer=OFF
compiler=${CXX:-clang++}
printf 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n' > "$build/probe.cpp"
if [ "$runs" -gt 1000000 ] &&
    "$compiler" -fsanitize=fuzzer,address,undefined "$build/probe.cpp" -o "$build/probe" 2> /dev/null; then
    libfuzzer=ON
else
    compiler=${CXX:-g++}
fi
cmake -S "$here" -B "$build/$libfuzzer" -DCMAKE_CXX_COMPILER="$compiler" -DPAINN_LIBFUZZER=$libfuzzer \
    -DOPENMM_INCLUDE_DIR="$include" > "$build/configure.log" || { cat "$build/configure.log"; exit 1; }
cmake --build "$build/$libfuzzer" --parallel "$jobs" > "$build/build.log" 2>&1 || { cat "$build/build.log"; exit 1; }

# No single allocation may exceed 64 MiB: nothing is allocated from a size that a file only claims.
# The rest is for speed: short stacks, little memory held back, no filling of new memory.
export ASAN_OPTIONS=max_allocation_size_mb=64:detect_leaks=1:malloc_context_size=2:quarantine_size_mb=2:max_malloc_fill_size=16
export UBSAN_OPTIONS=print_stacktrace=1
cd "$build"
echo "Fuzzing the model reader: $runs inputs, $jobs processes, libFuzzer $libfuzzer"
pids=
i=0
while [ "$i" -lt "$jobs" ]; do
    share=$(((runs + jobs - 1) / jobs))
    if [ $libfuzzer = ON ]; then
        "$libfuzzer/fuzz_model" -runs=$share -seed=$((seed + i)) -timeout=5 -max_len=8192 -print_final_stats=1 \
            -artifact_prefix="$build/" > "process-$i.log" 2>&1 &
    else
        "$libfuzzer/fuzz_model" $share $((seed + i)) > "process-$i.log" 2>&1 &
    fi
    pids="$pids $!"
    i=$((i + 1))
done
failed=0
for pid in $pids; do
    wait "$pid" || failed=1
done
tail -qn 12 process-*.log
if [ $failed = 1 ]; then
    echo "The fuzzer found a fault; the input is a crash file in $build"
fi
exit $failed
