// SPDX-License-Identifier: MIT
// PaiNNReplicaContexts as openmmpainn/replica_contexts.py builds on it: lists and dicts of Python go in, lists come out.

%{
namespace {

/** The objects of a Python list. Throws nothing; sets a Python exception and gives false if one has another class. */
template <class T>
bool convertObjects(PyObject* list, const char* name, swig_type_info* type, std::vector<T*>& objects) {
    PyObject* fast = PySequence_Fast(list, "must be a list");
    if (fast == nullptr)
        return false;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(fast); i++) {
        void* object = nullptr;
        if (!SWIG_IsOK(SWIG_ConvertPtr(PySequence_Fast_GET_ITEM(fast, i), &object, type, 0)) || object == nullptr) {
            PyErr_Format(PyExc_TypeError, "the %s of replica %zd is of the type %s", name, i,
                         Py_TYPE(PySequence_Fast_GET_ITEM(fast, i))->tp_name);
            Py_DECREF(fast);
            return false;
        }
        objects.push_back(static_cast<T*>(object));
    }
    Py_DECREF(fast);
    return true;
}

/** A dict of numbers by name, likewise. */
bool convertParameters(PyObject* dict, std::map<std::string, double>& parameters) {
    if (!PyDict_Check(dict)) {
        PyErr_SetString(PyExc_TypeError, "a state must be a dict of numbers by the names of global parameters");
        return false;
    }
    PyObject *key, *value;
    for (Py_ssize_t place = 0; PyDict_Next(dict, &place, &key, &value);) {
        const char* name = PyUnicode_AsUTF8(key);
        const double number = name == nullptr ? 0 : PyFloat_AsDouble(value);
        if (PyErr_Occurred())
            return false;
        parameters[name] = number;
    }
    return true;
}

} // namespace
%}

%typemap(in) const std::vector<OpenMM::System*>& (std::vector<OpenMM::System*> objects) {
    if (!convertObjects($input, "System", $descriptor(OpenMM::System*), objects))
        SWIG_fail;
    $1 = &objects;
}
%typemap(in) const std::vector<OpenMM::Integrator*>& (std::vector<OpenMM::Integrator*> objects) {
    if (!convertObjects($input, "Integrator", $descriptor(OpenMM::Integrator*), objects))
        SWIG_fail;
    $1 = &objects;
}
%typemap(in) const std::map<std::string, std::string>& properties (std::map<std::string, std::string> values) {
    PyObject *key, *value;
    for (Py_ssize_t place = 0; PyDict_Next($input, &place, &key, &value);) {
        const char* name = PyUnicode_AsUTF8(key);
        const char* text = name == nullptr ? nullptr : PyUnicode_AsUTF8(value);
        if (text == nullptr)
            SWIG_fail;
        values[name] = text;
    }
    $1 = &values;
}
%typemap(in) const std::vector<std::map<std::string, double>>& states (std::vector<std::map<std::string, double>> all) {
    PyObject* fast = PySequence_Fast($input, "states must be a list of dicts");
    bool good = (fast != nullptr);
    for (Py_ssize_t i = 0; good && i < PySequence_Fast_GET_SIZE(fast); i++) {
        all.emplace_back();
        good = convertParameters(PySequence_Fast_GET_ITEM(fast, i), all.back());
    }
    Py_XDECREF(fast);
    if (!good)
        SWIG_fail;
    $1 = &all;
}
%typemap(in, numinputs=0) std::vector<std::vector<double>>& energies (std::vector<std::vector<double>> rows) {
    $1 = &rows;
}
%typemap(argout) std::vector<std::vector<double>>& energies {
    Py_XDECREF($result);
    $result = PyList_New(0);
    for (const std::vector<double>& row : *$1) {
        PyObject* list = PyList_New(row.size());
        for (size_t i = 0; list != nullptr && i < row.size(); i++)
            PyList_SET_ITEM(list, i, PyFloat_FromDouble(row[i]));
        if (list == nullptr || PyList_Append($result, list) != 0)
            SWIG_fail;
        Py_DECREF(list);
    }
}

RELEASES_GIL(PaiNNPlugin::PaiNNReplicaContexts::PaiNNReplicaContexts)
RELEASES_GIL(PaiNNPlugin::PaiNNReplicaContexts::~PaiNNReplicaContexts)
RELEASES_GIL(PaiNNPlugin::PaiNNReplicaContexts::step)
RELEASES_GIL(PaiNNPlugin::PaiNNReplicaContexts::computeStateEnergies)

%rename(_ReplicaContexts) PaiNNPlugin::PaiNNReplicaContexts;

namespace PaiNNPlugin {

class PaiNNReplicaContexts {
public:
    enum Mode { Parallel = 0, Baton = 1 };
    ~PaiNNReplicaContexts();
    int getNumContexts() const;
    OpenMM::Context& getContext(int index);
    void step(int steps);
    void computeStateEnergies(const std::vector<std::map<std::string, double>>& states,
                              std::vector<std::vector<double>>& energies, int groups);
    Mode getMode() const;
    void setMode(Mode mode);
    double getTimeout() const;
    void setTimeout(double seconds);
    long long getNumBatches() const;
    long long getNumBatchedEvaluations() const;

    %extend {
        // One constructor for Python, which has None for a platform that is not given.
        PaiNNReplicaContexts(const std::vector<OpenMM::System*>& systems,
                             const std::vector<OpenMM::Integrator*>& integrators, OpenMM::Platform* platform,
                             const std::map<std::string, std::string>& properties) {
            if (platform == nullptr)
                return new PaiNNPlugin::PaiNNReplicaContexts(systems, integrators);
            return new PaiNNPlugin::PaiNNReplicaContexts(systems, integrators, *platform, properties);
        }
    }
};

} // namespace PaiNNPlugin
