/* The compiled twin of vxcsum.flow.vectorized: the Python side.

   The state is in buffers of the caller: records of connections, in the order of their first frames,
   and an index of them by endpoints. Every length is checked before use. */
#include "../packet/native_python.h"

#include "native_follow.h"

#define COLUMN(type, name, items) +1
enum { COLUMN_COUNT = 0 COLUMNS(COLUMN), BUFFERS = 5 };
_Static_assert(COLUMN_COUNT + BUFFERS <= MAX_VIEWS, "more buffers than there is room for");
#undef COLUMN

/* Return the memory of a buffer of `items` items, or of any number of them if that is -1. */
static void *open_items(struct views *views, PyObject *owner, const char *name, int64_t items,
                        size_t itemsize, int flags)
{
    const int64_t octets = items < 0 ? -1 : items * (int64_t)itemsize;
    void *memory = open_buffer(views, owner, name, octets, flags);
    if (memory == NULL && PyErr_Occurred())
        return NULL;
    if (views->view[views->count - 1].len % (Py_ssize_t)itemsize != 0)
        PyErr_Format(PyExc_ValueError, "%s has items of other than %zu octets", name, itemsize);
    else if ((uintptr_t)memory % (itemsize < 8 ? itemsize : 8) != 0)
        PyErr_Format(PyExc_ValueError, "%s is not aligned", name);
    return memory;
}

static bool open_table(struct views *views, PyObject *dict, int64_t rows, struct table *table)
{
#define COLUMN(type, name, items)                                                              \
    {                                                                                          \
        PyObject *column = PyDict_GetItemString(dict, #name);                                  \
        if (column == NULL) {                                                                  \
            PyErr_SetString(PyExc_KeyError, #name);                                            \
            return false;                                                                      \
        }                                                                                      \
        table->name =                                                                          \
            open_items(views, column, #name, rows * (items), sizeof(type), PyBUF_SIMPLE);     \
        if (PyErr_Occurred())                                                                  \
            return false;                                                                      \
    }
    COLUMNS(COLUMN)
#undef COLUMN
    return true;
}

static bool open_state(struct views *views, PyObject *const buffers[], int64_t rows,
                       struct state *state)
{
    state->connections = open_items(views, buffers[0], "connections", -1,
                                     sizeof *state->connections, PyBUF_WRITABLE);
    if (PyErr_Occurred())
        return false;
    state->room = views->view[views->count - 1].len / (Py_ssize_t)sizeof *state->connections;
    state->slots =
        open_items(views, buffers[1], "slots", -1, sizeof *state->slots, PyBUF_WRITABLE);
    if (PyErr_Occurred())
        return false;
    const uint64_t slots = (uint64_t)views->view[views->count - 1].len / sizeof *state->slots;
    state->mask = slots - 1;
    if (slots == 0 || (slots & state->mask) != 0 || slots <= (uint64_t)state->room) {
        PyErr_SetString(PyExc_ValueError, "slots: wanted a power of two above the connections");
        return false;
    }
    state->segments = open_items(views, buffers[2], "segments", 2 * (MAX_SEGMENT + 1),
                                  sizeof *state->segments, PyBUF_WRITABLE);
    if (PyErr_Occurred())
        return false;
    state->syn_row =
        open_items(views, buffers[3], "syn_row", rows, sizeof *state->syn_row, PyBUF_WRITABLE);
    if (PyErr_Occurred())
        return false;
    state->syn_connection = open_items(views, buffers[4], "syn_connection", rows,
                                        sizeof *state->syn_connection, PyBUF_WRITABLE);
    return !PyErr_Occurred();
}

PyDoc_STRVAR(follow_doc,
"follow(columns, rows, connections, slots, segments, syn_row, syn_connection, count, seed)\n"
"--\n\n"
"Take in the frames of a table; see vxcsum.flow.vectorized.\n\n"
"Return the number of connections, of retransmitted SYNs, and of frames for which there was no\n"
"room.");

static PyObject *follow(PyObject *module, PyObject *args)
{
    PyObject *columns, *buffers[BUFFERS];
    Py_ssize_t rows;
    long long count;
    unsigned long long seed;
    struct table table;
    struct state state = {0};
    struct views views;

    (void)module;
    views.count = 0;
    if (!PyArg_ParseTuple(args, "O!nOOOOOLK:follow", &PyDict_Type, &columns, &rows, &buffers[0],
                          &buffers[1], &buffers[2], &buffers[3], &buffers[4], &count, &seed))
        return NULL;
    if (rows < 0) {
        PyErr_SetString(PyExc_ValueError, "a negative number of rows");
        return NULL;
    }
    if (open_table(&views, columns, rows, &table) && open_state(&views, buffers, rows, &state)) {
        state.count = count;
        state.seed = seed;
        if (count < 0 || count > state.room) {
            PyErr_Format(PyExc_ValueError, "%lld connections in room for %lld", count,
                         (long long)state.room);
        } else {
            Py_BEGIN_ALLOW_THREADS
            follow_rows(&state, &table, rows);
            Py_END_ALLOW_THREADS
        }
    }
    release(&views);
    if (PyErr_Occurred())
        return NULL;
    return Py_BuildValue("LLL", (long long)state.count, (long long)state.syns,
                         (long long)state.untracked);
}

/* ---- module ---- */

static PyMethodDef methods[] = {{"follow", follow, METH_VARARGS, follow_doc}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", NULL, 0, methods, module_slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
