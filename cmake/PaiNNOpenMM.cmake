# SPDX-License-Identifier: MIT
# Finds the OpenMM that the Python interpreter imports and defines the target OpenMM::OpenMM. -DOPENMM_DIR=... names another
# folder that holds include/ and lib/ (an OpenMM built from source, or conda's prefix).
if(NOT OPENMM_DIR)
    execute_process(
        COMMAND ${Python_EXECUTABLE} -c "import openmm.version as v; print(v.openmm_library_path + '/..')"
        OUTPUT_VARIABLE OPENMM_DIR OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "${Python_EXECUTABLE} cannot import openmm: install openmm 8.6 there, or set OPENMM_DIR")
    endif()
endif()
get_filename_component(OPENMM_DIR "${OPENMM_DIR}" REALPATH)
find_library(OPENMM_LIBRARY OpenMM PATHS "${OPENMM_DIR}/lib" NO_DEFAULT_PATH REQUIRED)
find_path(OPENMM_INCLUDE_DIR OpenMM.h PATHS "${OPENMM_DIR}/include" NO_DEFAULT_PATH REQUIRED)
message(STATUS "OpenMM: ${OPENMM_DIR}")
add_library(OpenMM::OpenMM SHARED IMPORTED)
set_target_properties(OpenMM::OpenMM PROPERTIES
    IMPORTED_LOCATION "${OPENMM_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${OPENMM_INCLUDE_DIR}")
