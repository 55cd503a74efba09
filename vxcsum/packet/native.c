/* The compiled twin of vxcsum.packet.vectorized and vxcsum.capture.indexing: the Python side.

   Arrays come as buffers of the right item type (vxcsum.packet.native sees to that), and every
   length and offset in them is checked before it is used. Nothing is kept between calls, and the
   loops run without the interpreter lock. */
#include "native_python.h"

#include "native_dissect.h"
#include "native_index.h"

/* ---- scan ---- */

enum { NO_ROW = -1, PORT_FLAGS = 65536 };
enum { CACHE_LINE = 64, LONG_FRAME = 512, AHEAD = 1024, MOST_AHEAD = 2048 };

struct block {
    const uint8_t *octets;
    int64_t size, rows;
    const uint8_t *offset, *caplen, *origlen, *linktype, *direction, *is_port;
    struct columns columns;
    uint8_t *fragments;
    int64_t room, count; /* of fragment records */
};

/* Ask for octets a little ahead of a long frame: the processor's own prediction starts anew with
   each frame, and lets the sum of the next one wait for memory. */
INLINE void prefetch_ahead(const struct block *block, int64_t end, int64_t caplen)
{
    const int64_t left = least(block->size - end - AHEAD, least(caplen, MOST_AHEAD));
    if (caplen < LONG_FRAME)
        return;
    for (int64_t at = 0; at < left; at += CACHE_LINE)
        PREFETCH(block->octets + end + AHEAD + at);
}

/* Find the octets of a frame; return false where it lies outside of the block. */
INLINE bool find_frame(const struct block *block, int64_t row, struct frame *frame)
{
    int64_t offset;
    uint32_t caplen, origlen;
    memcpy(&offset, block->offset + 8 * row, sizeof offset);
    memcpy(&caplen, block->caplen + 4 * row, sizeof caplen);
    memcpy(&origlen, block->origlen + 4 * row, sizeof origlen);
    memcpy(&frame->linktype, block->linktype + 2 * row, sizeof frame->linktype);
    if (offset < 0 || offset > block->size || caplen > block->size - offset)
        return false;
    prefetch_ahead(block, offset + caplen, caplen);
    frame->octets = block->octets + offset;
    frame->end = caplen;
    frame->limit = most(caplen, origlen);
    frame->row = row;
    frame->direction = block->direction[row];
    frame->is_port = block->is_port;
    return true;
}

/* Scan rows while there is room for fragments. Return the first row that was not scanned; where
   that is because its frame lies outside of the block, `outside` is that row. */
static int64_t scan_rows(struct block *block, int64_t first, int64_t last, int64_t *outside)
{
    int64_t row = first;
    *outside = NO_ROW;
    for (; row < last && block->room - block->count >= FRAGMENTS_PER_FRAME; row++) {
        struct frame frame;
        struct fragment records[FRAGMENTS_PER_FRAME];
        if (!find_frame(block, row, &frame)) {
            *outside = row;
            break;
        }
        const int count = scan_frame(&frame, &block->columns, records);
        for (int record = 0; record < count; record++)
            memcpy(block->fragments + FRAGMENT_OCTETS * block->count++, &records[record],
                   FRAGMENT_OCTETS);
    }
    return row;
}

#define COLUMN(type, name, items) +1
enum { COLUMNS = 0 FACTS(COLUMN), ARGUMENTS = 9 };
_Static_assert(COLUMNS + ARGUMENTS <= MAX_VIEWS, "more buffers than there is room for");
#undef COLUMN

static bool open_columns(struct views *views, PyObject *dict, struct block *block)
{
#define COLUMN(type, name, items)                                                                \
    {                                                                                            \
        PyObject *column = PyDict_GetItemString(dict, #name);                                    \
        if (column == NULL) {                                                                    \
            PyErr_SetString(PyExc_KeyError, #name);                                              \
            return false;                                                                        \
        }                                                                                        \
        block->columns.name = open_buffer(                                                       \
            views, column, #name, block->rows * (items) * (int64_t)sizeof(type), PyBUF_WRITABLE); \
        if ((uintptr_t)block->columns.name % sizeof(type) != 0)                                  \
            PyErr_SetString(PyExc_ValueError, #name " is not aligned");                          \
        if (PyErr_Occurred())                                                                    \
            return false;                                                                        \
    }
    FACTS(COLUMN)
#undef COLUMN
    return true;
}

/* Open the buffers of a call of scan: `arguments` in the order of its signature. */
static bool open_block(struct views *views, PyObject *const arguments[], struct block *block)
{
    const uint8_t **inputs[] = {&block->offset, &block->caplen, &block->origlen,
                                &block->linktype, &block->direction};
    static const char *const names[] = {"offset", "caplen", "origlen", "linktype", "direction"};
    static const int widths[] = {8, 4, 4, 2, 1};

    block->octets = open_buffer(views, arguments[0], "octets", -1, PyBUF_SIMPLE);
    if (PyErr_Occurred())
        return false;
    block->size = views->view[0].len;
    for (int input = 0; input < 5; input++) {
        const int64_t octets = input == 0 ? -1 : block->rows * widths[input];
        *inputs[input] =
            open_buffer(views, arguments[1 + input], names[input], octets, PyBUF_SIMPLE);
        if (PyErr_Occurred())
            return false;
        if (input == 0)
            block->rows = views->view[views->count - 1].len / widths[0];
    }
    block->is_port = open_buffer(views, arguments[6], "ports", PORT_FLAGS, PyBUF_SIMPLE);
    if (PyErr_Occurred() || !open_columns(views, arguments[7], block))
        return false;
    block->fragments = open_buffer(views, arguments[8], "fragments", -1, PyBUF_WRITABLE);
    if (PyErr_Occurred())
        return false;
    block->room = views->view[views->count - 1].len / FRAGMENT_OCTETS;
    if (block->room < FRAGMENTS_PER_FRAME) {
        PyErr_SetString(PyExc_ValueError, "no room for the fragments of a frame");
        return false;
    }
    return true;
}

PyDoc_STRVAR(scan_doc,
"scan(octets, offset, caplen, origlen, linktype, direction, ports, columns, fragments, first, last)\n"
"--\n\n"
"Write the facts of the rows from first to last; see vxcsum.packet.vectorized.scan.\n\n"
"Return the row reached, which is less than last where fragments is full, and the number of\n"
"fragments written.");

static PyObject *scan(PyObject *module, PyObject *args)
{
    PyObject *arguments[ARGUMENTS];
    Py_ssize_t first, last;
    struct block block = {0};
    struct views views;
    int64_t reached = 0, outside = NO_ROW;

    (void)module;
    views.count = 0;
    if (!PyArg_ParseTuple(args, "OOOOOOOO!Onn:scan", &arguments[0], &arguments[1], &arguments[2],
                          &arguments[3], &arguments[4], &arguments[5], &arguments[6],
                          &PyDict_Type, &arguments[7], &arguments[8], &first, &last))
        return NULL;
    if (open_block(&views, arguments, &block)) {
        if (first < 0 || first > last || last > block.rows) {
            PyErr_Format(PyExc_IndexError, "no rows %zd to %zd", first, last);
        } else {
            Py_BEGIN_ALLOW_THREADS
            reached = scan_rows(&block, first, last, &outside);
            Py_END_ALLOW_THREADS
            if (outside != NO_ROW)
                PyErr_Format(PyExc_IndexError, "the frame of row %lld lies outside of the block",
                             (long long)outside);
        }
    }
    release(&views);
    if (PyErr_Occurred())
        return NULL;
    return Py_BuildValue("LL", (long long)reached, (long long)block.count);
}

/* ---- index ---- */

/* A column of a walk and where its buffer goes. */
struct output {
    const char *name;
    uint8_t **place;
    int width;
};

static bool open_walk(
    struct views *views, PyObject *octets, PyObject *const columns[], struct output *outputs,
    int count, struct walk *walk)
{
    walk->octets = open_buffer(views, octets, "octets", -1, PyBUF_SIMPLE);
    if (PyErr_Occurred())
        return false;
    if (walk->at < 0 || walk->at > walk->stop || walk->stop > views->view[0].len) {
        PyErr_Format(PyExc_IndexError, "no octets %lld to %lld in a buffer of %zd",
                     (long long)walk->at, (long long)walk->stop, views->view[0].len);
        return false;
    }
    if (walk->max_caplen < 0 || walk->max_caplen > UINT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "max_caplen is no unsigned 32-bit number");
        return false;
    }
    for (int output = 0; output < count; output++) {
        *outputs[output].place =
            open_buffer(views, columns[output], outputs[output].name, -1, PyBUF_WRITABLE);
        if (PyErr_Occurred())
            return false;
        const int64_t room = views->view[views->count - 1].len / outputs[output].width;
        if (output == 0)
            walk->room = room;
        if (room < walk->room) {
            PyErr_Format(PyExc_ValueError, "%s has %lld rows, less than %lld",
                         outputs[output].name, (long long)room, (long long)walk->room);
            return false;
        }
    }
    return true;
}

static void walk_records(struct walk *walk, bool swapped)
{
    if (swapped)
        walk_pcap(walk, true);
    else
        walk_pcap(walk, false);
}

static void walk_blocks(struct walk *walk, bool swapped)
{
    if (swapped)
        walk_pcapng(walk, true);
    else
        walk_pcapng(walk, false);
}

static PyObject *result_of(struct views *views, const struct walk *walk)
{
    release(views);
    if (PyErr_Occurred())
        return NULL;
    return Py_BuildValue("LLi", (long long)walk->count, (long long)walk->at, (int)walk->status);
}

PyDoc_STRVAR(index_pcap_doc,
"index_pcap(octets, start, stop, big_endian, record_header, max_caplen, offset, caplen, origlen, "
"seconds, fraction, /)\n"
"--\n\n"
"See vxcsum.capture.indexing.index_pcap.");

static PyObject *index_pcap(PyObject *module, PyObject *args)
{
    PyObject *octets, *columns[5];
    Py_ssize_t start, stop;
    int big_endian;
    long long record_header, max_caplen;
    struct views views;

    (void)module;
    views.count = 0;
    if (!PyArg_ParseTuple(args, "OnnpLLOOOOO:index_pcap", &octets, &start, &stop, &big_endian,
                          &record_header, &max_caplen, &columns[0], &columns[1], &columns[2],
                          &columns[3], &columns[4]))
        return NULL;
    struct walk walk = {.at = start, .stop = stop, .max_caplen = max_caplen};
    struct output outputs[] = {{"offset", &walk.offset, 8},
                               {"caplen", &walk.caplen, 4},
                               {"origlen", &walk.origlen, 4},
                               {"seconds", &walk.seconds, 4},
                               {"fraction", &walk.fraction, 4}};
    if (record_header < PCAP_HEADER || record_header > UINT16_MAX) {
        PyErr_SetString(PyExc_ValueError, "record_header is out of range");
        return NULL;
    }
    walk.record_header = record_header;
    if (open_walk(&views, octets, columns, outputs, 5, &walk)) {
        Py_BEGIN_ALLOW_THREADS
        walk_records(&walk, (big_endian != 0) != HOST_IS_BIG_ENDIAN);
        Py_END_ALLOW_THREADS
    }
    return result_of(&views, &walk);
}

PyDoc_STRVAR(index_pcapng_doc,
"index_pcapng(octets, start, stop, big_endian, max_caplen, offset, caplen, origlen, stamp, "
"interface_id, flags, /)\n"
"--\n\n"
"See vxcsum.capture.indexing.index_pcapng.");

static PyObject *index_pcapng(PyObject *module, PyObject *args)
{
    PyObject *octets, *columns[6];
    Py_ssize_t start, stop;
    int big_endian;
    long long max_caplen;
    struct views views;

    (void)module;
    views.count = 0;
    if (!PyArg_ParseTuple(args, "OnnpLOOOOOO:index_pcapng", &octets, &start, &stop, &big_endian,
                          &max_caplen, &columns[0], &columns[1], &columns[2], &columns[3],
                          &columns[4], &columns[5]))
        return NULL;
    struct walk walk = {.at = start, .stop = stop, .max_caplen = max_caplen};
    struct output outputs[] = {{"offset", &walk.offset, 8},
                               {"caplen", &walk.caplen, 4},
                               {"origlen", &walk.origlen, 4},
                               {"stamp", &walk.stamp, 8},
                               {"interface_id", &walk.interface_id, 4},
                               {"flags", &walk.flags, 4}};
    if (open_walk(&views, octets, columns, outputs, 6, &walk)) {
        Py_BEGIN_ALLOW_THREADS
        walk_blocks(&walk, (big_endian != 0) != HOST_IS_BIG_ENDIAN);
        Py_END_ALLOW_THREADS
    }
    return result_of(&views, &walk);
}

/* ---- module ---- */

static PyMethodDef methods[] = {{"scan", scan, METH_VARARGS, scan_doc},
                                {"index_pcap", index_pcap, METH_VARARGS, index_pcap_doc},
                                {"index_pcapng", index_pcapng, METH_VARARGS, index_pcapng_doc},
                                {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", NULL, 0, methods, module_slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
