# SPDX-License-Identifier: MIT
# Finds what the plugin for CUDA is compiled from: OpenMM's CUDA platform (wheel openmm-cuda-13, or an OpenMM built from source)
# and the headers of CUDA's driver and runtime (wheel nvidia-cuda-runtime, or a toolkit). No driver, no nvcc and no GPU is
# needed. Defines the target OpenMM::CUDA, or says in one line why the platform is skipped. -DPAINN_CUDA_DIR=... names another
# folder into which those wheels were installed (pip install --target).
set(PAINN_CUDA_DIR "" CACHE PATH "Folder with openmm-cuda-13 and nvidia-cuda-runtime, as pip install --target leaves it")
execute_process(
    COMMAND ${Python_EXECUTABLE} -c "import sys, sysconfig; print(sys.prefix); print(sysconfig.get_path('platlib'))"
    OUTPUT_VARIABLE paths OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REPLACE "\n" ";" paths "${paths}")
list(POP_FRONT paths PAINN_PYTHON_PREFIX)
# Wheels, in the folder that was named, in the one that requirements/cuda.txt goes to, and beside OpenMM.
set(roots ${PAINN_CUDA_DIR} "${PAINN_PYTHON_PREFIX}/cuda" ${paths})
set(plugin_dirs ${roots})
list(TRANSFORM plugin_dirs APPEND "/OpenMM.libs/lib/plugins")
set(include_dirs ${roots})
list(TRANSFORM include_dirs APPEND "/nvidia/cu13/include")
file(GLOB toolkits "/usr/local/cuda*/include")
# Where the compiler NVRTC may be, for tests.
set(nvrtc_dirs ${roots})
list(TRANSFORM nvrtc_dirs APPEND "/nvidia/cu13/lib")
list(JOIN nvrtc_dirs ":" PAINN_NVRTC_PATH)
string(APPEND PAINN_NVRTC_PATH ":/usr/local/cuda/lib64")
find_library(OPENMM_CUDA_LIBRARY OpenMMCUDA PATHS ${plugin_dirs} "${OPENMM_DIR}/lib/plugins" NO_DEFAULT_PATH)
# builtin_types.h needs crt/host_defines.h, which the wheels of CUDA 13 keep apart from it (nvidia-cuda-crt).
find_path(PAINN_CUDA_INCLUDE_DIR cuda.h PATHS ${include_dirs} $ENV{CUDA_HOME}/include $ENV{CUDA_PATH}/include ${toolkits}
    NO_DEFAULT_PATH)
if(NOT PAINN_CUDA_INCLUDE_DIR)
    find_path(PAINN_CUDA_INCLUDE_DIR cuda.h)
endif()
set(missing "")
if(NOT OPENMM_CUDA_LIBRARY)
    set(missing "libOpenMMCUDA.so was not found")
elseif(NOT EXISTS "${OPENMM_INCLUDE_DIR}/openmm/cuda/CudaContext.h")
    set(missing "this OpenMM has no headers of its CUDA platform")
elseif(NOT PAINN_CUDA_INCLUDE_DIR)
    set(missing "cuda.h was not found")
elseif(NOT EXISTS "${PAINN_CUDA_INCLUDE_DIR}/vector_functions.h")
    set(missing "${PAINN_CUDA_INCLUDE_DIR} has no headers of CUDA's runtime")
endif()
if(missing)
    set(PAINN_HAS_CUDA OFF)
    message(STATUS "CUDA: skipped, because ${missing} (pip install --target ... -r requirements/cuda.txt)")
    return()
endif()
set(PAINN_HAS_CUDA ON)
message(STATUS "CUDA: ${OPENMM_CUDA_LIBRARY}, headers in ${PAINN_CUDA_INCLUDE_DIR}")
add_library(OpenMM::CUDA SHARED IMPORTED)
set_target_properties(OpenMM::CUDA PROPERTIES
    IMPORTED_LOCATION "${OPENMM_CUDA_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${PAINN_CUDA_INCLUDE_DIR}"
    # Its own needs (the driver, NVRTC, cuFFT) are there when it is loaded, not when we are built.
    IMPORTED_LINK_DEPENDENT_LIBRARIES "")
