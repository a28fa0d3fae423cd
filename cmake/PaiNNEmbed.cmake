# SPDX-License-Identifier: MIT
# painn_embed(TARGET SYMBOL files...): compiles the text of files, one after another, into a target, as
# "extern const char* const PaiNNPlugin::SYMBOL".
set(PAINN_EMBED_SCRIPT "${CMAKE_CURRENT_LIST_DIR}/EmbedText.cmake")
function(painn_embed target symbol)
    set(output "${CMAKE_CURRENT_BINARY_DIR}/${symbol}.cpp")
    set(files "")
    foreach(file ${ARGN})
        get_filename_component(file "${file}" ABSOLUTE)
        list(APPEND files "${file}")
    endforeach()
    list(JOIN files "|" joined)
    add_custom_command(
        OUTPUT "${output}"
        COMMAND ${CMAKE_COMMAND} -DSYMBOL=${symbol} -DOUTPUT=${output} "-DFILES=${joined}" -P ${PAINN_EMBED_SCRIPT}
        DEPENDS ${files} ${PAINN_EMBED_SCRIPT}
        COMMENT "Embedding the text of ${symbol}"
        VERBATIM)
    target_sources(${target} PRIVATE "${output}")
endfunction()
