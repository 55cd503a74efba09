/* What extensions have of Python alike: the buffers of a call, and what a module says of itself. */
#ifndef VXCSUM_NATIVE_PYTHON_H
#define VXCSUM_NATIVE_PYTHON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>

enum { MAX_VIEWS = 64 };

/* Buffers of one call, released together. */
struct views {
    Py_buffer view[MAX_VIEWS];
    int count;
};

static void release(struct views *views)
{
    while (views->count > 0)
        PyBuffer_Release(&views->view[--views->count]);
}

/* Return the memory of a buffer that must have `octets` octets, or any number if that is -1. */
static void *open_buffer(
    struct views *views, PyObject *owner, const char *name, int64_t octets, int flags)
{
    Py_buffer *view = &views->view[views->count];
    if (PyObject_GetBuffer(owner, view, flags) < 0)
        return NULL;
    views->count++;
    if (octets >= 0 && view->len != octets) {
        PyErr_Format(PyExc_ValueError, "%s has %zd octets, not %lld", name, view->len,
                     (long long)octets);
        return NULL;
    }
    return view->buf;
}

#if defined(Py_LIMITED_API)
#define API_VERSION Py_LIMITED_API
#else
#define API_VERSION PY_VERSION_HEX
#endif

static PyModuleDef_Slot module_slots[] = {
#if API_VERSION + 0 >= 0x030c0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if API_VERSION + 0 >= 0x030d0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL}};

#endif
