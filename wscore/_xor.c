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

static PyMethodDef methods[] = {
    {"apply_mask", (PyCFunction)(void (*)(void))apply_mask, METH_FASTCALL, apply_mask_doc},
    {"unmask", (PyCFunction)(void (*)(void))unmask, METH_FASTCALL, unmask_doc},
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
