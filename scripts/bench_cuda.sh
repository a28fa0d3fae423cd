#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Times on a GPU: the evaluator alone, steps of molecular dynamics, and if the Python module can be built there, the command
# "openmmpainn benchmark". The model is $PAINN_MODEL (the bundled student). Figures go to $PAINN_OUTPUT as JSON.
cd "$(dirname "$0")/.."
source scripts/cuda_env.sh
model=${PAINN_MODEL:-models/alanine-dipeptide.safetensors}
build_for_cuda bench_cuda_evaluator bench_cuda_steps OpenMMPaiNNCUDA OpenMMPaiNNCPU OpenMMPaiNNReference
bench=$BUILD/benchmarks/bench_cuda_evaluator
export PAINN_PLUGIN_DIR=$BUILD/plugins
step "evaluator, mixed precision" 300 bench.log "$bench" "$model" --kernels --precision mixed --json "$OUTPUT/evaluator-mixed.json"
step "evaluator, double precision" 200 bench.log "$bench" "$model" --precision double --json "$OUTPUT/evaluator-double.json" \
    --sizes 22x1,22x64,300x1,1000x1
step "evaluator, canonical network" 200 bench.log "$bench" canonical --precision mixed --json "$OUTPUT/evaluator-canonical.json" \
    --sizes 22x1,22x16,22x64,22x256,50x1,50x64,300x1,1000x1
step "steps of dynamics" 200 bench.log "$BUILD/benchmarks/bench_cuda_steps" "$model" --json "$OUTPUT/steps.json"
if grep -q "PAINN_BUILD_PYTHON:BOOL=ON" "$BUILD/CMakeCache.txt" && [ -z "${PAINN_SKIP_PYTHON:-}" ]; then
    step "Python package" 600 build.log env PATH="$BIN:$PATH" CMAKE_PREFIX_PATH="$BUILD/deps" CMAKE_BUILD_PARALLEL_LEVEL="$JOBS" "$BIN/python" -m pip \
        --disable-pip-version-check install --no-index --no-build-isolation --no-deps --config-settings=build-dir="$BUILD/wheel" .
    step "openmmpainn benchmark" 400 bench.log "$BIN/openmmpainn" benchmark --model "$model" --platform CUDA --peers \
        --sizes 22,50,300,1000 --batches 1,16,64 --seconds 0.7 --no-memory --json "$OUTPUT/benchmark.json"
    step "replicas as subsystems" 200 bench.log "$BIN/python" benchmarks/replicas.py 16 4 CUDA --model "$model" --steps 200 \
        --json "$OUTPUT/replicas.json"
fi
cat "$OUTPUT/bench.log"
finish
