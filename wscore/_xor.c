/* Masking in C: XOR with a repeated key of four bytes (RFC 6455 section 5.3). `_mask` says when it is used.
 *
 * The loop works on words of eight bytes through memcpy, which allows any alignment and which compilers turn
 * into vector instructions; the key is rotated once, so that any phase costs the same. No state is kept, so
 * the module is safe in subinterpreters and without the global interpreter lock.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define WORD ((Py_ssize_t)sizeof(uint64_t))

static void
xor_bytes(unsigned char *restrict out, const unsigned char *restrict in, Py_ssize_t size,
          const unsigned char *key, Py_ssize_t phase)
{
    unsigned char rotated[8];
    uint64_t pattern;
    Py_ssize_t i = 0;

    for (int lane = 0; lane < 8; lane++)
        rotated[lane] = key[(phase + lane) & 3];
    memcpy(&pattern, rotated, sizeof pattern);
    for (; i + WORD <= size; i += WORD) {
        uint64_t word;
        memcpy(&word, in + i, sizeof word);
        word ^= pattern;
        memcpy(out + i, &word, sizeof word);
    }
    for (; i < size; i++)
        out[i] = in[i] ^ rotated[i & 7];
}

static int
is_key_or_error(PyObject *data, PyObject *key)
{
    if (!PyBytes_Check(data) || !PyBytes_Check(key)) {
        PyErr_SetString(PyExc_TypeError, "data and key must be bytes");
        return 0;
    }
    if (PyBytes_GET_SIZE(key) != 4) {
        PyErr_SetString(PyExc_ValueError, "a masking key has four bytes");
        return 0;
    }
    return 1;
}

PyDoc_STRVAR(apply_mask_doc,
"apply_mask(data, key, phase, /)\n--\n\n"
"XOR data with key, whose byte number phase % 4 meets the first byte of data.");

static PyObject *
apply_mask(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    Py_ssize_t phase, size;
    PyObject *result;

    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "apply_mask takes three arguments");
        return NULL;
    }
    if (!is_key_or_error(args[0], args[1]))
        return NULL;
    phase = PyLong_AsSsize_t(args[2]);
    if (phase == -1 && PyErr_Occurred())
        return NULL;
    size = PyBytes_GET_SIZE(args[0]);
    result = PyBytes_FromStringAndSize(NULL, size);
    if (result != NULL)
        xor_bytes((unsigned char *)PyBytes_AS_STRING(result),
                  (const unsigned char *)PyBytes_AS_STRING(args[0]), size,
                  (const unsigned char *)PyBytes_AS_STRING(args[1]), phase & 3);
    return result;
}

PyDoc_STRVAR(unmask_doc,
"unmask(buffer, start, end, /)\n--\n\n"
"Return buffer[start:end] XORed with the four bytes before it.");

static PyObject *
unmask(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    Py_ssize_t start, end;
    const unsigned char *bytes;
    PyObject *result;

    if (count != 3 || !PyBytes_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "unmask takes bytes and two positions");
        return NULL;
    }
    start = PyLong_AsSsize_t(args[1]);
    if (start == -1 && PyErr_Occurred())
        return NULL;
    end = PyLong_AsSsize_t(args[2]);
    if (end == -1 && PyErr_Occurred())
        return NULL;
    if (start < 4 || end < start || end > PyBytes_GET_SIZE(args[0])) {
        PyErr_SetString(PyExc_ValueError, "no key and payload at these positions");
        return NULL;
    }
    bytes = (const unsigned char *)PyBytes_AS_STRING(args[0]) + start;
    result = PyBytes_FromStringAndSize(NULL, end - start);
    if (result != NULL)
        xor_bytes((unsigned char *)PyBytes_AS_STRING(result), bytes, end - start, bytes - 4, 0);
    return result;
}

PyDoc_STRVAR(mask_part_doc,
"mask_part(data, key, start, end, /)\n--\n\n"
"Return data[start:end] of a payload that begins with data[0], XORed with key.");

static PyObject *
mask_part(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    Py_ssize_t start, end;
    PyObject *result;

    if (count != 4) {
        PyErr_SetString(PyExc_TypeError, "mask_part takes four arguments");
        return NULL;
    }
    if (!is_key_or_error(args[0], args[1]))
        return NULL;
    start = PyLong_AsSsize_t(args[2]);
    if (start == -1 && PyErr_Occurred())
        return NULL;
    end = PyLong_AsSsize_t(args[3]);
    if (end == -1 && PyErr_Occurred())
        return NULL;
    if (start < 0 || end < start || end > PyBytes_GET_SIZE(args[0])) {
        PyErr_SetString(PyExc_ValueError, "no payload at these positions");
        return NULL;
    }
    result = PyBytes_FromStringAndSize(NULL, end - start);
    if (result != NULL)
        xor_bytes((unsigned char *)PyBytes_AS_STRING(result),
                  (const unsigned char *)PyBytes_AS_STRING(args[0]) + start, end - start,
                  (const unsigned char *)PyBytes_AS_STRING(args[1]), start & 3);
    return result;
}

PyDoc_STRVAR(mask_behind_doc,
"mask_behind(header, payload, key, /)\n--\n\n"
"Return header, key, and payload XORed with key, as one object.");

static PyObject *
mask_behind(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    Py_ssize_t header_size, size;
    unsigned char *bytes;
    PyObject *result;

    if (count != 3 || !PyBytes_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "mask_behind takes a header, a payload and a key");
        return NULL;
    }
    if (!is_key_or_error(args[1], args[2]))
        return NULL;
    header_size = PyBytes_GET_SIZE(args[0]);
    size = PyBytes_GET_SIZE(args[1]);
    if (size > PY_SSIZE_T_MAX - header_size - 4)
        return PyErr_NoMemory();
    result = PyBytes_FromStringAndSize(NULL, header_size + 4 + size);
    if (result == NULL)
        return NULL;
    bytes = (unsigned char *)PyBytes_AS_STRING(result);
    memcpy(bytes, PyBytes_AS_STRING(args[0]), header_size);
    memcpy(bytes + header_size, PyBytes_AS_STRING(args[2]), 4);
    xor_bytes(bytes + header_size + 4, (const unsigned char *)PyBytes_AS_STRING(args[1]), size,
              (const unsigned char *)PyBytes_AS_STRING(args[2]), 0);
    return result;
}

static PyMethodDef methods[] = {
    {"apply_mask", (PyCFunction)(void (*)(void))apply_mask, METH_FASTCALL, apply_mask_doc},
    {"unmask", (PyCFunction)(void (*)(void))unmask, METH_FASTCALL, unmask_doc},
    {"mask_part", (PyCFunction)(void (*)(void))mask_part, METH_FASTCALL, mask_part_doc},
    {"mask_behind", (PyCFunction)(void (*)(void))mask_behind, METH_FASTCALL, mask_behind_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "wscore._xor",
    .m_doc = "XOR with a repeated key of four bytes (RFC 6455 section 5.3).",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__xor(void)
{
    return PyModuleDef_Init(&definition);
}
