// SPDX-License-Identifier: MIT
// How values cross between Python and C++ beyond what OpenMM's own typemaps do.

// A path: str, bytes or os.PathLike.
%typemap(in) const std::string& path (std::string text) {
    PyObject* encoded = nullptr;
    if (!PyUnicode_FSConverter($input, &encoded))
        SWIG_fail;
    text.assign(PyBytes_AS_STRING(encoded), PyBytes_GET_SIZE(encoded));
    Py_DECREF(encoded);
    $1 = &text;
}
%typemap(freearg) const std::string& path ""

// The contents of a file: bytes, bytearray, memoryview, never text.
%typemap(in) const std::string& bytes (std::string contents) {
    Py_buffer view;
    if (PyObject_GetBuffer($input, &view, PyBUF_SIMPLE) != 0)
        SWIG_fail;
    contents.assign(static_cast<const char*>(view.buf), view.len);
    PyBuffer_Release(&view);
    $1 = &contents;
}
%typemap(freearg) const std::string& bytes ""
%typemap(out) const std::string& PaiNNPlugin::PaiNNStudentModel::getBytes {
    $result = PyBytes_FromStringAndSize($1->data(), $1->size());
}

// Lists that do not change: tuples of int or str.
%typemap(out) const std::vector<int>& {
    $result = PyTuple_New($1->size());
    for (size_t i = 0; $result != nullptr && i < $1->size(); i++)
        PyTuple_SET_ITEM($result, i, PyLong_FromLong((*$1)[i]));
}
%typemap(out, fragment="SWIG_From_std_string") const std::vector<std::string>& {
    $result = PyTuple_New($1->size());
    for (size_t i = 0; $result != nullptr && i < $1->size(); i++)
        PyTuple_SET_ITEM($result, i, SWIG_From_std_string((*$1)[i]));
}

// Energies, [n] kJ/mol, come back as the return value (a list here; %pythonappend adds the unit).
%typemap(in, numinputs=0) std::vector<double>& energies (std::vector<double> values) {
    $1 = &values;
}
%typemap(argout) std::vector<double>& energies {
    Py_XDECREF($result);
    $result = PyList_New($1->size());
    for (size_t i = 0; $result != nullptr && i < $1->size(); i++)
        PyList_SET_ITEM($result, i, PyFloat_FromDouble((*$1)[i]));
}
%apply int& OUTPUT { int& particle, int& atomicNumber, int& subsystem, int& particle1, int& particle2 };

// A model of its own that shares the weights: it stays valid when the force is gone.
%typemap(out) const PaiNNPlugin::PaiNNStudentModel& {
    $result = SWIG_NewPointerObj(new PaiNNPlugin::PaiNNStudentModel(*$1), $descriptor(PaiNNPlugin::PaiNNStudentModel*),
                                 SWIG_POINTER_OWN);
}
