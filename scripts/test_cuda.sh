#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Everything that only a GPU can show: the shared suite on the CUDA platform in every precision, then compute-sanitizer. Prints a
# short table last; logs go to $PAINN_OUTPUT (build/cuda-results). PAINN_STEPS chooses among: tests sanitizers.
cd "$(dirname "$0")/.."
source scripts/cuda_env.sh
export PAINN_REQUIRE_CUDA=1
steps=${PAINN_STEPS:-tests sanitizers}
build_for_cuda TestForce bench_cuda_evaluator OpenMMPaiNNCUDA OpenMMPaiNNCPU OpenMMPaiNNReference
tests=$BUILD/tests/force/TestForce
bench=$BUILD/benchmarks/bench_cuda_evaluator

if [[ $steps == *tests* ]]; then
    # A first look that fails within seconds if nothing works at all.
    step "kernels compile and run" 200 tests.log "$bench" models/alanine-dipeptide.safetensors --kernels --repeats 3 \
        --sizes 22x1,22x3,300x1,2000x1
    # A precision each, side by side; most of the time is spent in compilers.
    filter=${PAINN_FILTER:-*}
    for precision in Single Mixed Double; do
        timeout --kill-after=10 "${PAINN_TEST_SECONDS:-480}" "$tests" --gtest_brief=1 --gtest_filter="$filter/CUDA$precision-*CudaAlone*" \
            >"$BUILD/$precision.log" 2>&1 &
        echo $! >"$BUILD/$precision.pid"
    done
    for precision in Single Mixed Double; do
        # shellcheck disable=SC2016
        step "suite, CUDA$precision" 1000 tests.log bash -c 'tail --pid="$1" -f /dev/null; cat "$2"
            grep -q "\[==========\] [1-9][0-9]* tests\? .*ran" "$2" && grep -q "\[  PASSED  \]" "$2" && ! grep -q "FAILED" "$2"' \
            - "$(cat "$BUILD/$precision.pid")" "$BUILD/$precision.log"
    done
    [ "$filter" != "*" ] || step "memory of the GPU" 400 tests.log "$tests" --gtest_filter="*CudaAlone*"
fi

if [[ $steps == *sanitizers* ]]; then
    sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
    for tool in memcheck racecheck initcheck synccheck; do
        for model in student canonical; do
            step "$tool, $model" 300 sanitizers.log "$sanitizer" --tool $tool --error-exitcode 9 --print-limit 20 \
                "$bench" $model --repeats 1 --sizes "${PAINN_SANITIZER_SIZES:-12x2,300x1,1600x1}"
        done
    done
    step "memcheck, in a Context" 300 sanitizers.log "$sanitizer" --tool memcheck --error-exitcode 9 --print-limit 20 \
        "$tests" --gtest_filter='Flags.obeysForceGroups/CUDAMixed:Flags.entryEnergies*/CUDAMixed'
fi
finish
