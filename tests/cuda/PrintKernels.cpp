// SPDX-License-Identifier: MIT
// Prints the source of kernels, for those who compile it: PrintKernels [--source | --host] FAMILY CHANNELS BLOCKS
// PRECISION CAPABILITY [repulsion]. The #define lines alone; with --source the kernels too, as a device's compiler gets
// them; with --host a C++ file for the emulator.
#include "KernelChoice.h"
#include <iostream>
#include <regex>

using namespace PaiNNPlugin;

namespace {

/** The text for a namespace, where "C" functions of several models would be the same functions. */
void printForHost(const KernelChoice& choice, std::string text) {
    const std::regex kernel(
        R"re(extern\s+"C"\s+__global__\s+void\s+(__launch_bounds__\s*\((?:[^()]|\([^()]*\))*\)\s*)?(\w+)\s*\()re");
    std::vector<std::string> names;
    for (auto found = std::sregex_iterator(text.begin(), text.end(), kernel); found != std::sregex_iterator(); ++found)
        names.push_back((*found)[2]);
    text = std::regex_replace(text, std::regex(R"re(extern\s+"C"\s+__global__)re"), "__global__");
    std::cout << "#include \"HostKernels.h\"\n#include \"KernelCall.h\"\n#include \"HostKernel.h\"\n"
              << choice.getDefines() << "namespace {\n"
              << text << "\nconst bool registered = (::PaiNNPlugin::hostKernels()[\"" << choice.name << "\"] = {R\"("
              << choice.getDefines() << ")\", sizeof(Arrays), {\n";
    for (const std::string& name : names)
        std::cout << "{\"" << name << "\", ::PaiNNPlugin::callKernel<Arrays, " << name << ">},\n";
    std::cout << "}}, true);\n} // namespace\n";
}

} // namespace

int main(int argc, char** argv) {
    try {
        std::vector<std::string> words(argv + 1, argv + argc);
        const std::string mode = !words.empty() && words[0].compare(0, 2, "--") == 0 ? words[0] : "";
        if (!mode.empty())
            words.erase(words.begin());
        const KernelChoice choice(words);
        if (mode == "--host")
            printForHost(choice, choice.getSource().text);
        else if (mode == "--source")
            std::cout << choice.getDefines() << choice.getSource().text;
        else if (mode.empty())
            std::cout << choice.getDefines();
        else
            throw std::invalid_argument("mode " + mode);
    }
    catch (const std::exception& e) {
        std::cerr
            << "PrintKernels: " << e.what()
            << "\nPrintKernels [--source | --host] student|canonical CHANNELS BLOCKS single|mixed|double CAPABILITY "
               "[repulsion]\n";
        return 1;
    }
    return std::cout.flush() ? 0 : 1;
}
