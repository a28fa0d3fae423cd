#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Everything that only a GPU can show: the shared suite on the CUDA platform in every precision, then compute-sanitizer. Prints a
# short table last; logs go to $PAINN_OUTPUT (build/cuda-results). PAINN_STEPS chooses among: tests engine sanitizers.
cd "$(dirname "$0")/.."
source scripts/cuda_env.sh
export PAINN_REQUIRE_CUDA=1
steps=${PAINN_STEPS:-tests engine sanitizers}
build_for_cuda TestForce bench_cuda_evaluator OpenMMPaiNNCUDA OpenMMPaiNNCPU OpenMMPaiNNReference
tests=$BUILD/tests/force/TestForce
bench=$BUILD/benchmarks/bench_cuda_evaluator

# suite FILTER: tests in as many processes as there are processors, since most of the time is spent in compilers, each with its own
# cache of kernels. Succeeds if every test that was to run has ended, none with a failure.
suite() {
    local k ended wanted pids=() failures=0
    rm -rf "$BUILD"/shard*
    for ((k = 0; k < JOBS; k++)); do
        mkdir -p "$BUILD/shard$k"
        TMPDIR=$BUILD/shard$k GTEST_TOTAL_SHARDS=$JOBS GTEST_SHARD_INDEX=$k "$tests" --gtest_filter="$1" >"$BUILD/shard$k/log" 2>&1 &
        pids+=($!)
    done
    for k in "${pids[@]}"; do wait "$k" || failures=$((failures + 1)); done
    cat "$BUILD"/shard*/log
    ended=$(cat "$BUILD"/shard*/log | grep -cE '^\[ +(OK|SKIPPED) +\] .* ms\)')
    wanted=$("$tests" --gtest_list_tests --gtest_filter="$1" | grep -c '^  ')
    echo "$ended of $wanted tests ended without a failure, $failures of $JOBS processes failed"
    [ "$wanted" -gt 0 ] && [ "$ended" = "$wanted" ] && [ $failures = 0 ]
}

if [[ $steps == *tests* ]]; then
    # A first look that fails within seconds if nothing works at all.
    step "kernels compile and run" 200 tests.log "$bench" models/alanine-dipeptide.safetensors --kernels --repeats 3 \
        --sizes 22x1,22x3,300x1,2000x1
    filter=${PAINN_FILTER:-*}
    export -f suite
    export tests BUILD JOBS
    step "suite in single, mixed and double precision" "${PAINN_TEST_SECONDS:-480}" tests.log bash -c 'suite "$1"' - \
        "$filter/CUDASingle:$filter/CUDAMixed:$filter/CUDADouble:LibTorch/$filter/CUDA*Torch:-*CudaAlone*"
    [ "$filter" != "*" ] || step "memory of the GPU" 400 tests.log "$tests" --gtest_filter="*CudaAlone*"
fi

# The LibTorch engine from Python, where there are PyTorch and pytest; the suite above has it too.
if [[ $steps == *engine* ]]; then
    if [ -x "$BIN/python" ] && "$BIN/python" -c 'import pytest, torch; assert torch.cuda.is_available()'; then
        step "Python package" 900 engine.log env PATH="$BIN:$PATH" CMAKE_PREFIX_PATH="$BUILD/deps" "$BIN/python" -m pip install --no-index \
            --no-build-isolation --no-deps --force-reinstall .
        step "LibTorch engine in Python" 600 engine.log env PAINN_REQUIRE_TORCH=1 "$BIN/python" -m pytest -v -s -rs \
            -k "not Reference and not CPU" tests/python/test_torch_engine.py tests/python/test_torch_engine_process.py
    else
        echo "LibTorch engine in Python: left out, because this Python lacks pytest, or PyTorch with a GPU"
    fi
fi

if [[ $steps == *sanitizers* ]]; then
    sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
    for model in student canonical; do
        for tool in memcheck initcheck synccheck; do
            step "$tool, $model" 300 sanitizers.log "$sanitizer" --tool $tool --error-exitcode 9 --print-limit 20 \
                "$bench" $model --once --sizes "${PAINN_SANITIZER_SIZES:-12x2,300x1,1600x1}"
        done
        # Slower by far, so of a small network: small molecules, which have a kernel of their own from capability 9.0 on, and what
        # is too large for that, by the chain of kernels with its list of candidates. The log says which kernels were compiled.
        for size in 12x2 300x1; do
            step "racecheck, $model, $size" 300 sanitizers.log "$sanitizer" --tool racecheck --error-exitcode 9 --print-limit 20 \
                "$bench" $model:32 --once --kernels --sizes $size
        done
    done
    # OpenMM looks for its cache of kernels by calls that may fail; a call of ours that fails is an exception.
    step "memcheck, in a Context" 300 sanitizers.log "$sanitizer" --tool memcheck --report-api-errors no --error-exitcode 9 \
        --print-limit 20 \
        "$tests" --gtest_filter='*Flags.obeysForceGroups/CUDAMixed:*Flags.entryEnergies*/CUDAMixed'
fi
finish
