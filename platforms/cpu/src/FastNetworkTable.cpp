// SPDX-License-Identifier: MIT
#include "FastNetworkTable.h"
#include <map>
#include <mutex>
#include <string>

using namespace std;

namespace PaiNNPlugin {

shared_ptr<const FastNetwork> getFastNetwork(const PaiNNStudentModel& model) {
    static mutex lock;
    static map<string, weak_ptr<const FastNetwork>> networks; // by the model's hash
    lock_guard<mutex> guard(lock); // held while a network is made, so that nobody else makes it too
    shared_ptr<const FastNetwork> network = networks[model.getHash()].lock();
    if (network == nullptr) {
        network = FastNetwork::create(model.getParameters());
        networks[model.getHash()] = network;
    }
    for (auto entry = networks.begin(); entry != networks.end();)
        entry = (entry->second.expired() ? networks.erase(entry) : next(entry));
    return network;
}

} // namespace PaiNNPlugin
