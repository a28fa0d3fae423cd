// SPDX-License-Identifier: MIT
// C++ exceptions become openmm.OpenMMException, as in OpenMM's own module; lack of memory becomes MemoryError.

%{
namespace {

// Sets the Python exception for the C++ exception being handled. Needs the GIL.
void setPythonException() {
    try {
        throw;
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const std::exception& e) {
        PyObject* openmm = PyImport_ImportModule("openmm");
        PyObject* type = openmm == nullptr ? nullptr : PyObject_GetAttrString(openmm, "OpenMMException");
        if (type != nullptr)
            PyErr_SetString(type, e.what());
        Py_XDECREF(type);
        Py_XDECREF(openmm);
    }
}

// Lets other Python threads run while it lives.
class ReleaseGIL {
public:
    ReleaseGIL() : state(PyEval_SaveThread()) {
    }
    ~ReleaseGIL() {
        PyEval_RestoreThread(state);
    }
    ReleaseGIL(const ReleaseGIL&) = delete;
    ReleaseGIL& operator=(const ReleaseGIL&) = delete;

private:
    PyThreadState* state;
};

} // namespace
%}

%exception {
    try {
        $action
    } catch (...) {
        setPythonException();
        SWIG_fail;
    }
}

// What reads a model or runs the network lets other threads go on.
%define RELEASES_GIL(method)
%exception method {
    try {
        ReleaseGIL unlocked;
        $action
    } catch (...) {
        setPythonException();
        SWIG_fail;
    }
}
%enddef
RELEASES_GIL(PaiNNPlugin::PaiNNStudentModel::PaiNNStudentModel)
RELEASES_GIL(PaiNNPlugin::PaiNNStudentModel::fromBytes)
RELEASES_GIL(PaiNNPlugin::PaiNNStudentModel::getWarnings)
RELEASES_GIL(PaiNNPlugin::PaiNNStudentForce::updateParametersInContext)
RELEASES_GIL(PaiNNPlugin::PaiNNStudentForce::getSubsystemEnergies)
RELEASES_GIL(PaiNNPlugin::PaiNNStudentForce::getParticleEnergies)
