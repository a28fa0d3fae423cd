# SPDX-License-Identifier: MIT
# One command per task, the same at the desk and in CI. Everything is installed into .venv in this folder.
PYTHON ?= python3
JOBS ?= $(shell nproc)
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet


.PHONY: help setup build demo test test-cuda bench-cuda test-cpp test-fuzz test-python test-long test-sanitizers test-coverage lint format fuzz wheel student clean

help:
	@echo "make demo     set up, build, and run molecular dynamics of alanine dipeptide (results in demo/)"
	@echo "make test     set up, build, and run all tests"
	@echo "make wheel    build a wheel into dist/"
	@echo "make fuzz     fuzz the model reader for a long time (RUNS=100000000)"
	@echo "make test-long  the tests that take an hour, and more turns of others"
	@echo "make test-sanitizers  the C++ tests under AddressSanitizer, UBSan and ThreadSanitizer"
	@echo "make test-coverage    lines of the model reader"
	@echo "make test-cuda  on a machine with an NVIDIA GPU: the CUDA platform's tests and compute-sanitizer; make bench-cuda: times"
	@echo "make student  make the bundled student model anew (an hour, or minutes with a GPU)"
	@echo "make format   format the sources; make lint only checks them"

# OpenCL on the processor, for the tests alone: OpenMM would choose it before its own CPU platform.
$(VENV)/.opencl: scripts/setup.sh
	@PYTHON=$(PYTHON) scripts/setup.sh --opencl
	@mkdir -p $(VENV) && touch $@

# Each stamp stands for one set of pinned packages in .venv.
$(VENV)/.system: scripts/setup.sh
	@PYTHON=$(PYTHON) scripts/setup.sh
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.%: requirements/%.txt $(VENV)/.system
	@echo "Installing requirements/$*.txt into .venv"
	@$(PIP) -r $<
	@touch $@

# What the CUDA plugin is compiled from, in a folder of its own: OpenMM does not find it there. No GPU is needed.
$(VENV)/.cuda: requirements/cuda.txt $(VENV)/.system
	@echo "Installing requirements/cuda.txt into .venv/cuda"
	@rm -rf $(VENV)/cuda
	@if [ "$$(uname -m)" = x86_64 ]; then $(PIP) --no-deps --target $(VENV)/cuda -r $<; \
	else echo "The plugin for CUDA is built on x86-64 only; it is left out here"; fi
	@touch $@

setup: $(VENV)/.build $(VENV)/.tools $(VENV)/.cuda

build: setup
	@echo "Building (libraries, Python module, C++ tests) in build/"
	@PATH="$(BIN):$$PATH" CMAKE_BUILD_PARALLEL_LEVEL=$(JOBS) $(PIP) --no-build-isolation --no-deps --force-reinstall \
	    --config-settings=build-dir=build --config-settings=cmake.define.PAINN_BUILD_TESTS=ON .

demo: build
	@$(BIN)/python examples/alanine_dipeptide.py --output demo

test: lint build test-cpp test-fuzz test-python

# The LibTorch engine is built where PyTorch is installed; these tests want it.
$(VENV)/.test: $(VENV)/.torch
test-cpp test-python: export PAINN_REQUIRE_TORCH := 1

test-cpp: $(VENV)/.torch build $(VENV)/.opencl
	PATH="$(BIN):$$PATH" $(BIN)/ctest --test-dir build --output-on-failure --parallel $(JOBS)

test-fuzz: build
	PATH="$(BIN):$$PATH" PAINN_PYTHON=$(BIN)/python tests/fuzz/run.sh 1000000

test-python: $(VENV)/.test $(VENV)/.distil build
	PATH="$(BIN):$$PATH" $(BIN)/python -m pytest -q -m "not long" --durations=10 tests/python

# PAINN_LONG_TESTS lets the C++ tests that repeat something at random repeat it ten times as often.
test-long: $(VENV)/.test build $(VENV)/.opencl
	PATH="$(BIN):$$PATH" PAINN_LONG_TESTS=1 $(BIN)/ctest --test-dir build --output-on-failure --timeout 7200
	PATH="$(BIN):$$PATH" $(BIN)/ctest --test-dir build -C Long -R CompileKernels --output-on-failure --parallel $(JOBS)
	PATH="$(BIN):$$PATH" $(BIN)/python -m pytest -q -m long tests/python

# OpenMM's own registries are never freed, so leaks are looked for where OpenMM is not: by the fuzzer, in the model reader.
# Leaks.* and FailedCreations.* measure memory, which a sanitizer holds back; opensNoFile takes away the file descriptors
# that it needs; throughTheForce brings an operator new of its own, which libraries do not see beside the sanitizer's.
# ThreadSanitizer runs what has threads: everything that goes through the pool of an evaluator, and many
# Contexts at once. It reports no race here; what it may not see, and what it would have to be told, is in tests/tsan.supp.
THREADED := Threads|Meeting|Replicas|sameInputSameBits|threadsChangeNoBit|companionsChangeNoBit|publishedSize|namesAtoms|makingAnEvaluator|evaluatorsGoOn|threadsNeedNoMemory
test-sanitizers: $(VENV)/.build
	PATH="$(BIN):$$PATH" cmake --preset asan
	PATH="$(BIN):$$PATH" cmake --build build-asan --parallel $(JOBS)
	ASAN_OPTIONS=detect_leaks=0 $(BIN)/ctest --test-dir build-asan --output-on-failure --parallel $(JOBS) \
	    -E "Leaks|FailedCreations|opensNoFile|CompileKernels|throughTheForce"
	PATH="$(BIN):$$PATH" cmake --preset tsan
	PATH="$(BIN):$$PATH" cmake --build build-tsan --parallel $(JOBS) --target TestCPU TestAllocations TestForce
	TSAN_OPTIONS="suppressions=$(CURDIR)/tests/tsan.supp" PAINN_FEW_TURNS=1 \
	    $(BIN)/ctest --test-dir build-tsan --output-on-failure -R "$(THREADED)" -E OpenCL

# Fails below 95 % of the lines of the model reader.
test-coverage: $(VENV)/.build $(VENV)/.test
	PATH="$(BIN):$$PATH" cmake --preset coverage
	PATH="$(BIN):$$PATH" cmake --build build-coverage --parallel $(JOBS)
	$(BIN)/ctest --test-dir build-coverage --parallel $(JOBS) -R "^(Refusals|Warnings|Model|Sha256|Base64)" -Q
	$(BIN)/gcovr --root . --filter 'openmmapi/src/(Json|Safetensors|ReadFile|Model|PaiNNStudentModel)' --fail-under-line 95 \
	    --exclude-throw-branches build-coverage

# On a machine with an NVIDIA GPU; logs and figures in $$PAINN_OUTPUT (build/cuda-results).
test-cuda:
	@PYTHON=$(PYTHON) JOBS=$(JOBS) scripts/test_cuda.sh

bench-cuda:
	@PYTHON=$(PYTHON) JOBS=$(JOBS) scripts/bench_cuda.sh

lint: $(VENV)/.build $(VENV)/.test
	@PATH="$(BIN):$$PATH" scripts/lint.sh

format: $(VENV)/.test
	@PATH="$(BIN):$$PATH" scripts/lint.sh --fix

RUNS ?= 100000000
fuzz: build
	PATH="$(BIN):$$PATH" PAINN_PYTHON=$(BIN)/python tests/fuzz/run.sh $(RUNS)

wheel: $(VENV)/.build $(VENV)/.cuda
	@PATH="$(BIN):$$PATH" CMAKE_BUILD_PARALLEL_LEVEL=$(JOBS) $(BIN)/python -m pip --disable-pip-version-check wheel --quiet \
	    --no-build-isolation --no-deps --wheel-dir dist --config-settings=build-dir=build-wheel .
	@ls dist/*.whl

student: build $(VENV)/.test $(VENV)/.distil
	$(BIN)/python scripts/make_first_student.py

clean:
	rm -rf build build-wheel dist demo
