# SPDX-License-Identifier: MIT
# Where things are installed: beside OpenMM's own libraries, in the layout of its wheel (site-packages/OpenMM.libs).
if(SKBUILD)
    set(PAINN_SITE "${SKBUILD_PLATLIB_DIR}")
else()
    set(PAINN_SITE ".")
endif()
set(PAINN_LIB_DIR "${PAINN_SITE}/OpenMM.libs/lib")
set(PAINN_PLUGIN_DIR "${PAINN_LIB_DIR}/plugins")
set(PAINN_INCLUDE_DIR "${PAINN_SITE}/OpenMM.libs/include")
# In the build tree the platform plugins lie in one folder, so that tests can load them all at once.
set(PAINN_BUILD_PLUGIN_DIR "${PROJECT_BINARY_DIR}/plugins")

# painn_add_platform(NAME sources... LIBRARIES targets...): the plugin libOpenMMPaiNN<NAME>.so
function(painn_add_platform name)
    cmake_parse_arguments(arg "" "" "LIBRARIES" ${ARGN})
    set(target OpenMMPaiNN${name})
    add_library(${target} SHARED ${arg_UNPARSED_ARGUMENTS})
    target_link_libraries(${target} PRIVATE OpenMMPaiNN ${arg_LIBRARIES})
    set_target_properties(${target} PROPERTIES
        LIBRARY_OUTPUT_DIRECTORY "${PAINN_BUILD_PLUGIN_DIR}"
        INSTALL_RPATH "$ORIGIN/..:$ORIGIN")
    install(TARGETS ${target} DESTINATION "${PAINN_PLUGIN_DIR}")
endfunction()
