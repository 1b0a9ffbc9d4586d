# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One pass over an answer: it checks all of it, and notes where each value of each row is.

The decoder reads one language: the envelope of a successful answer, and rows with the documented members, each at
most once and with its documented type. It returns None for everything else, and then aioflows reads the
answer by itself. So nothing is repaired, guessed or reported here, and a doubt is never an error.

How it keeps within the bytes: a `bytes` object ends with a zero byte, and no function steps over one. Each of them reads
the byte at its pointer, and moves on only if that byte is one that it accepts.
"""

from types import MemberDescriptorType

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.datetime cimport (
    datetime, datetime_day, datetime_hour, datetime_microsecond, datetime_minute, datetime_month, datetime_new,
    datetime_second, datetime_tzinfo, datetime_year, import_datetime,
)
from cpython.list cimport PyList_GET_ITEM, PyList_New, PyList_SET_ITEM
from cpython.long cimport PyLong_FromLongLong
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_New, PyTuple_SET_ITEM
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

cdef extern from "Python.h":
    ctypedef PyObject* (*allocfunc)(PyTypeObject*, Py_ssize_t)
    ctypedef struct TypeSlots "PyTypeObject":
        allocfunc tp_alloc
        Py_ssize_t tp_basicsize
    PyObject* PyBytes_FromStringAndSize_ "PyBytes_FromStringAndSize"(const char*, Py_ssize_t)
    int _PyBytes_Resize(PyObject**, Py_ssize_t) except -1
    void Py_SET_TYPE(PyObject*, PyTypeObject*)
    PyTypeObject* Py_TYPE(PyObject*)

cdef extern from "structmember.h":
    ctypedef struct PyMemberDef:
        int type
        Py_ssize_t offset
        int flags
    ctypedef struct PyMemberDescrObject:
        PyMemberDef* d_member
    int T_OBJECT_EX
    int READONLY

import_datetime()

ctypedef const unsigned char* Bytes

include "values.pxi"
include "plan.pxi"
include "columns.pxi"


cdef Py_ssize_t offset_of(type stored, str name) except -1:
    """Return where a slot lies in the instances of a class."""
    cdef object descriptor = getattr(stored, name)
    cdef PyMemberDef* member
    if type(descriptor) is not MemberDescriptorType:
        raise TypeError(f"{name} is not a slot")
    member = (<PyMemberDescrObject*>descriptor).d_member
    if member.type != T_OBJECT_EX or member.flags or member.offset <= 0:
        raise TypeError(f"the slot {name} is of another kind")
    if member.offset + <Py_ssize_t>sizeof(PyObject*) > (<TypeSlots*>stored).tp_basicsize:
        raise TypeError(f"the slot {name} lies outside of its instances")
    return member.offset


cdef inline void put(PyObject* row, Py_ssize_t offset, PyObject* value) noexcept:
    """Put a value into a slot, which takes over its reference."""
    cdef PyObject** slot = <PyObject**>(<char*>row + offset)
    cdef PyObject* before = slot[0]
    slot[0] = value
    Py_XDECREF(before)


cdef inline void copy_slot(PyObject* to, PyObject* row, Py_ssize_t offset) noexcept:
    cdef PyObject* value = (<PyObject**>(<char*>row + offset))[0]
    if value != NULL:
        put(to, offset, held(<object>value))


cdef PyObject* new_instance(type stored) except NULL:
    """Return a new instance with empty slots, as a new reference."""
    return (<TypeSlots*>stored).tp_alloc(<PyTypeObject*>stored, 0)


@cython.final
cdef class Decoder:
    """A decoder that makes instances of one class.

    Args:
        stored: the class whose slots it fills.
        finished: the class that instances have once they are handed out. It has the same slots.

    Raises:
        TypeError: the classes do not have the slots that the decoder knows, or differ in them.
    """

    cdef type stored, finished
    cdef Py_ssize_t offsets[FIELDS]
    cdef Py_ssize_t epoch, extra

    def __init__(self, type stored not None, type finished not None):
        cdef int field
        for field in range(FIELDS):
            self.offsets[field] = offset_of(stored, _MEMBERS[field][1])
        self.epoch, self.extra = offset_of(stored, "_epoch"), offset_of(stored, "extra")
        stored.__new__(stored).__class__ = finished  # Python refuses a class with other slots
        self.stored, self.finished = stored, finished

    def plan(self, bytes body not None):
        """Return the plan of an answer. None means that it is not as documented, or has no rows."""
        cdef Plan plan
        if len(body) > LONGEST:
            return None
        plan = Plan(body)
        if not plan.read():
            return None
        plan.note_columns()
        return plan

    def rows(self, Plan plan not None):
        """Return all rows of an answer as instances of the first class. Their times have no zone."""
        cdef list rows = PyList_New(plan.length)
        cdef Texts texts = Texts()
        cdef Py_ssize_t number
        cdef object row
        for number in range(plan.length):
            row = self.row(plan, number, texts)
            Py_INCREF(row)
            PyList_SET_ITEM(rows, number, row)
        return rows

    cdef object row(self, Plan plan, Py_ssize_t number, Texts texts):
        cdef PyObject* made = new_instance(self.stored)
        cdef object row
        cdef int field
        row = <object>made
        Py_DECREF(row)  # `row` holds it now
        for field in range(FIELDS):
            if field == ID:
                put(made, self.offsets[field], held(<object>PyTuple_GET_ITEM(plan.ids, number)))
            elif field == TRIGGER:
                put(made, self.offsets[field], held(<object>PyTuple_GET_ITEM(plan.walls, number)))
            else:
                put(made, self.offsets[field], value_of_cell(plan, field, plan.cells[number * FIELDS + field], texts))
        put(made, self.extra, held(None))
        return row

    def copies(self, rows):
        """Return copies of rows, as instances of the first class."""
        cdef list found = []
        cdef PyObject* made
        cdef object row, copy
        cdef int field
        for row in rows:
            if type(row) is not self.stored and type(row) is not self.finished:
                raise TypeError("a row was not made here")
            made = new_instance(self.stored)
            copy = <object>made
            Py_DECREF(copy)  # `copy` holds it now
            for field in range(FIELDS):
                copy_slot(made, <PyObject*>row, self.offsets[field])
            copy_slot(made, <PyObject*>row, self.extra)
            found.append(copy)
        return found

    def aware(self, walls, tzinfo):
        """Return times without zone as times of a zone: in the first pass, if its clocks show them twice."""
        cdef list found = []
        cdef object last = None, time = None
        cdef datetime wall
        for wall in walls:
            if wall is not last:
                if datetime_tzinfo(wall) is not None:
                    raise TypeError("a time has a zone")
                last = wall
                time = datetime_new(
                    datetime_year(wall), datetime_month(wall), datetime_day(wall), datetime_hour(wall),
                    datetime_minute(wall), datetime_second(wall), datetime_microsecond(wall), tzinfo)
            found.append(time)
        return found

    def column(self, list plans not None, str name not None):
        """Return the values of a member in all rows of some answers, as the buffers of an Arrow array.

        Returns:
            The number of rows, the number of those without a value, a bit for each row that tells whether it has one,
            and the values: integers of 64 bits, bits, or microseconds since 1970-01-01 00:00:00 by the clock. Texts have
            the offsets of 32 bits of their ends, and beside them their bytes in UTF-8, which are None for others.

        Raises:
            KeyError: there is no such member.
            OverflowError: the texts are too long for such offsets.
        """
        return column_of(plans, _NUMBERS[name])

    def finish(self, list rows not None, times, epoch):
        """Turn rows into instances of the second class, in place, and return them.

        Args:
            rows: rows that `rows` made, and that were not finished before.
            times: their trigger times, aware.
            epoch: 1970-01-01 00:00:00 in their zone.
        """
        cdef Py_ssize_t number
        cdef PyObject* row
        cdef list aware = times if type(times) is list else list(times)
        if len(aware) != len(rows):
            raise ValueError("there are not as many times as rows")
        for number in range(len(rows)):
            row = <PyObject*>PyList_GET_ITEM(rows, number)
            if Py_TYPE(row) != <PyTypeObject*>self.stored:
                raise TypeError("a row is finished, or was not made here")
            put(row, self.epoch, held(epoch))
            put(row, self.offsets[TRIGGER], held(<object>PyList_GET_ITEM(aware, number)))
            # As an assignment to __class__ does, which was tried before (`__init__`).
            Py_INCREF(self.finished)
            Py_SET_TYPE(row, <PyTypeObject*>self.finished)
            Py_DECREF(self.stored)
        return rows


cdef inline PyObject* held(object value) noexcept:
    """Return an object, as a new reference."""
    Py_INCREF(value)
    return <PyObject*>value


cdef PyObject* value_of_cell(Plan plan, int field, uint64_t cell, Texts texts) except NULL:
    """Return a value of a row, as a new reference."""
    cdef Kind kind = NAMES[field].kind
    cdef Bytes p = plan.begin + <uint32_t>cell
    cdef Py_ssize_t length = cell >> 32 & 0x7FFFFFFF
    if kind == GRAPH:
        return held(_NULL_GRAPH if cell == NONE else PyBytes_FromStringAndSize(<const char*>p, length))
    if cell == NONE:
        return held(None)
    if kind == TEXT:
        return texts.of(p + 1, length - 2, cell & ESCAPED != 0)
    if kind == INTEGER:
        return held(PyLong_FromLongLong(<int64_t>cell))
    if kind == FLAG:
        return held(cell != 0)
    return held(datetime_of(cell))
