# SPDX-License-Identifier: MIT
# Finds a SWIG whose modules share types with OpenMM's own. OpenMM 8.6 keeps its types in SWIG's runtime table 5; a module made
# by an older SWIG (Debian 12 has 4.1, with table 4) would compile, but System.addForce() would not accept our Force.
get_filename_component(PAINN_PYTHON_BIN "${Python_EXECUTABLE}" DIRECTORY)
find_program(SWIG_EXECUTABLE swig HINTS "${PAINN_PYTHON_BIN}")
if(NOT SWIG_EXECUTABLE)
    message(FATAL_ERROR "swig was not found: pip install swig==4.5.1, or build without Python by -DPAINN_BUILD_PYTHON=OFF")
endif()
execute_process(COMMAND "${SWIG_EXECUTABLE}" -swiglib OUTPUT_VARIABLE PAINN_SWIG_LIB OUTPUT_STRIP_TRAILING_WHITESPACE)
set(PAINN_SWIG_RUNTIME "unknown")
if(EXISTS "${PAINN_SWIG_LIB}/swigrun.swg")
    file(STRINGS "${PAINN_SWIG_LIB}/swigrun.swg" line REGEX "define SWIG_RUNTIME_VERSION")
    string(REGEX REPLACE ".*\"(.*)\".*" "\\1" PAINN_SWIG_RUNTIME "${line}")
endif()
if(NOT PAINN_SWIG_RUNTIME STREQUAL "5")
    message(FATAL_ERROR "${SWIG_EXECUTABLE} has the runtime version ${PAINN_SWIG_RUNTIME}, but OpenMM 8.6 needs version 5: "
        "pip install swig==4.5.1 and remove SWIG_EXECUTABLE from the CMake cache")
endif()
message(STATUS "SWIG: ${SWIG_EXECUTABLE}")
