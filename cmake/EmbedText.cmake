# SPDX-License-Identifier: MIT
# Run by painn_embed(): writes FILES (separated by |), each behind a #line that names it, as a string constant SYMBOL to OUTPUT.
string(REPLACE "|" ";" FILES "${FILES}")
set(text "")
foreach(file ${FILES})
    get_filename_component(name "${file}" NAME)
    file(READ "${file}" content)
    string(APPEND text "#line 1 \"${name}\"\n${content}\n")
endforeach()
# A string literal of 64 kB and more is not portable, so it is written as characters: as numbers.
string(LENGTH "${text}" length)
file(WRITE "${OUTPUT}.text" "${text}")
file(READ "${OUTPUT}.text" hex HEX)
file(REMOVE "${OUTPUT}.text")
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
file(WRITE "${OUTPUT}" "// Made by cmake/EmbedText.cmake.
namespace PaiNNPlugin {
static const char text[] = {
${bytes}0};
extern const char* const ${SYMBOL};
const char* const ${SYMBOL} = text;
} // namespace PaiNNPlugin
")
