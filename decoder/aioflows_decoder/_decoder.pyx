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

# Members of a row

cdef enum Kind:
    TEXT, GRAPH, INTEGER, FLAG, TIME

cdef enum:
    FIELDS = 21
    ID = 0
    TRIGGER = 10
    KNOWN = 256  # texts that are looked up before a new one is made
    LONGEST_KNOWN = 64  # bytes
    LONGEST = 0x7FFFFFF0  # bytes of an answer

cdef uint64_t NONE = 1ULL << 63  # no text begins at 0, no time has this bit, and no number is so small
cdef uint64_t ESCAPED = 1ULL << 63

_MEMBERS = (
    ("instanceId", "instance_id", TEXT), ("flowId", "flow_id", INTEGER), ("flowName", "flow_name", TEXT),
    ("freq", "freq", TEXT), ("cycle", "cycle", TEXT), ("parameters", "parameters", TEXT), ("doAs", "do_as", TEXT),
    ("graph", "graph", GRAPH), ("status", "status", INTEGER), ("statusDesc", "status_desc", TEXT),
    ("triggerTime", "trigger_time", TIME), ("startTime", "start_time", TIME), ("endTime", "end_time", TIME),
    ("timestamp", "timestamp", TIME), ("virtual", "virtual", FLAG), ("owner", "owner", TEXT),
    ("hasEditPri", "has_edit_pri", FLAG), ("hasReadPri", "has_read_pri", FLAG),
    ("isCancelled", "is_cancelled", FLAG), ("alertMode", "alert_mode", INTEGER), ("calDt", "cal_dt", TEXT),
)
_QUOTED = [f'"{member[0]}"'.encode() for member in _MEMBERS]

cdef struct Name:
    Bytes text
    Py_ssize_t length
    Kind kind

cdef Name NAMES[FIELDS]
cdef unsigned char PLAIN[256]  # bytes of a text that need no look
cdef unsigned char ESCAPES[256]  # what follows a backslash, and what it stands for
cdef int DAYS[13]

cdef int _number, _byte
for _number in range(FIELDS):
    NAMES[_number].text = <Bytes>PyBytes_AS_STRING(_QUOTED[_number])
    NAMES[_number].length = len(_QUOTED[_number])
    NAMES[_number].kind = _MEMBERS[_number][2]
for _byte in range(256):
    PLAIN[_byte] = 0x20 <= _byte < 0x80 and _byte != c'"' and _byte != c'\\'
    ESCAPES[_byte] = 0
for _escape, _meant in zip(b'"\\/bfnrt', b'"\\/\b\f\n\r\t'):
    ESCAPES[<int>_escape] = _meant
for _number, _meant in enumerate((0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)):
    DAYS[_number] = _meant

_NULL_GRAPH = b"null"  # as the slot of a graph holds it


# JSON

cdef inline Bytes blank(Bytes p) noexcept nogil:
    """Return the next byte that is no white space."""
    while p[0] == c' ' or p[0] == c'\n' or p[0] == c'\r' or p[0] == c'\t':
        p += 1
    return p


cdef int hexadecimal(Bytes p) noexcept nogil:
    """Return the number of four hexadecimal digits, or -1."""
    cdef int number = 0, place, digit
    for place in range(4):
        digit = p[place]
        if c'0' <= digit <= c'9':
            digit -= c'0'
        elif c'a' <= digit | 0x20 <= c'f':
            digit = (digit | 0x20) - c'a' + 10
        else:
            return -1
        number = number << 4 | digit
    return number


cdef inline bint is_more(unsigned char byte) noexcept nogil:
    """Return True for a second, third or fourth byte of a character in UTF-8."""
    return byte & 0xC0 == 0x80


cdef Bytes behind_character(Bytes p) noexcept nogil:
    """Return the byte behind a character of two to four bytes. NULL means that it is not one in UTF-8 (RFC 3629)."""
    cdef unsigned char first = p[0]
    if 0xC2 <= first <= 0xDF:
        return p + 2 if is_more(p[1]) else NULL
    if 0xE0 <= first <= 0xEF:
        if not is_more(p[1]) or (first == 0xE0 and p[1] < 0xA0) or (first == 0xED and p[1] > 0x9F):
            return NULL  # too long, or a surrogate
        return p + 3 if is_more(p[2]) else NULL
    if 0xF0 <= first <= 0xF4:
        if not is_more(p[1]) or (first == 0xF0 and p[1] < 0x90) or (first == 0xF4 and p[1] > 0x8F):
            return NULL  # too long, or above U+10FFFF
        return p + 4 if is_more(p[2]) and is_more(p[3]) else NULL
    return NULL


cdef Bytes behind_escape(Bytes p) noexcept nogil:
    """Return the byte behind an escape, of both halves if it is a surrogate. NULL means that it is not valid."""
    cdef int code, low
    if p[1] != c'u':
        return p + 2 if ESCAPES[p[1]] else NULL
    code = hexadecimal(p + 2)
    if code < 0 or 0xDC00 <= code <= 0xDFFF:
        return NULL
    if code < 0xD800 or code > 0xDFFF:
        return p + 6
    if p[6] != c'\\' or p[7] != c'u':
        return NULL
    low = hexadecimal(p + 8)
    return p + 12 if 0xDC00 <= low <= 0xDFFF else NULL


cdef inline Bytes end_of_text(Bytes p, bint* escaped) noexcept nogil:
    """Return the quote that ends a text, from the byte behind its first quote. NULL means that it is not valid."""
    while True:
        while PLAIN[p[0]]:
            p += 1
        if p[0] == c'"':
            return p
        if p[0] == c'\\':
            escaped[0] = True
            p = behind_escape(p)
        else:
            p = behind_character(p)
        if p == NULL:
            return NULL


cdef Bytes behind_text(Bytes p, bint* escaped) noexcept nogil:
    """Return the byte behind a text with its quotes. NULL means that there is no valid text."""
    if p[0] != c'"':
        return NULL
    p = end_of_text(p + 1, escaped)
    return NULL if p == NULL else p + 1


cdef Bytes behind_integer(Bytes p, int64_t* number) noexcept nogil:
    """Return the byte behind a whole number of at most 18 digits. NULL means that it is another one."""
    cdef bint negative = p[0] == c'-'
    cdef int digits = 0
    p += negative
    number[0] = 0
    if p[0] == c'0':
        if negative or c'0' <= p[1] <= c'9':
            return NULL
        return p + 1
    while c'0' <= p[0] <= c'9':
        digits += 1
        if digits > 18:
            return NULL
        number[0] = number[0] * 10 + (p[0] - c'0')
        p += 1
    if negative:
        number[0] = -number[0]
    return p if digits else NULL


cdef Bytes behind_word(Bytes p, const char* word) noexcept nogil:
    """Return the byte behind a word. NULL means that another one stands there."""
    while word[0]:
        if p[0] != <unsigned char>word[0]:
            return NULL
        p += 1
        word += 1
    return p


# Times

cdef inline int two_digits(Bytes p) noexcept nogil:
    """Return a number of two digits. 1000 means that they are not digits."""
    cdef unsigned int tens = p[0] - c'0', ones = p[1] - c'0'
    return <int>(tens * 10 + ones) if tens < 10 and ones < 10 else 1000


cdef uint64_t time_of(Bytes p, Py_ssize_t length) noexcept nogil:
    """Return a time, packed into 60 bits. `NONE` means that it is not one, or is written in another way.

    Args:
        p: its text, YYYY-MM-DD HH:MM:SS with a space or a T, and with up to six digits of a fraction.
        length: the bytes of the text.
    """
    cdef int century, year, month, day, hour, minute, second, place
    cdef uint64_t micro = 0
    if length != 19 and not 21 <= length <= 26:
        return NONE
    if p[4] != c'-' or p[7] != c'-' or p[13] != c':' or p[16] != c':' or (p[10] != c' ' and p[10] != c'T'):
        return NONE
    century, year = two_digits(p), two_digits(p + 2)
    month, day = two_digits(p + 5), two_digits(p + 8)
    hour, minute, second = two_digits(p + 11), two_digits(p + 14), two_digits(p + 17)
    if century > 99 or year > 99 or not 1 <= month <= 12 or hour > 23 or minute > 59 or second > 59:
        return NONE
    year += century * 100
    if not year:
        return NONE
    if not 1 <= day <= DAYS[month]:
        if month != 2 or day != 29 or year % 4 or (year % 100 == 0 and year % 400):
            return NONE
    if length > 19:
        if p[19] != c'.':
            return NONE
        for place in range(20, 26):
            micro *= 10
            if place < length:
                if not c'0' <= p[place] <= c'9':
                    return NONE
                micro += p[place] - c'0'
    return <uint64_t>year << 46 | <uint64_t>month << 42 | <uint64_t>day << 37 | <uint64_t>hour << 32 | (
        <uint64_t>minute << 26 | <uint64_t>second << 20 | micro)


cdef object datetime_of(uint64_t time):
    """Return a packed time as a datetime without zone."""
    return datetime_new(
        time >> 46, time >> 42 & 15, time >> 37 & 31, time >> 32 & 31, time >> 26 & 63, time >> 20 & 63,
        time & 0xFFFFF, None)


cdef void write_digits(unsigned char* at, int number, int digits) noexcept nogil:
    while digits:
        digits -= 1
        at[digits] = c'0' + number % 10
        number //= 10


cdef object text_of_time(uint64_t time):
    """Return the whole seconds of a packed time as YYYY-MM-DD HH:MM:SS."""
    cdef unsigned char text[19]
    memcpy(text, <const char*>b"0000-00-00 00:00:00", 19)
    write_digits(text, time >> 46, 4)
    write_digits(text + 5, time >> 42 & 15, 2)
    write_digits(text + 8, time >> 37 & 31, 2)
    write_digits(text + 11, time >> 32 & 31, 2)
    write_digits(text + 14, time >> 26 & 63, 2)
    write_digits(text + 17, time >> 20 & 63, 2)
    return PyUnicode_DecodeUTF8(<const char*>text, 19, NULL)


# Texts

cdef object unescaped(Bytes p, Py_ssize_t length):
    """Return a text that was checked before."""
    cdef Bytes end = p + length
    cdef int code
    cdef unsigned char* buffer = <unsigned char*>PyMem_Malloc(length + 1)
    cdef unsigned char* to = buffer
    if buffer == NULL:
        raise MemoryError
    try:
        while p < end:
            if p[0] != c'\\':
                to[0] = p[0]
                p += 1
                to += 1
            elif p[1] != c'u':
                to[0] = ESCAPES[p[1]]
                p += 2
                to += 1
            else:
                code = hexadecimal(p + 2)
                p += 6
                if 0xD800 <= code <= 0xDBFF:
                    code = 0x10000 + ((code & 0x3FF) << 10 | hexadecimal(p + 2) & 0x3FF)
                    p += 6
                to = in_utf8(to, code)
        return PyUnicode_DecodeUTF8(<const char*>buffer, to - buffer, NULL)
    finally:
        PyMem_Free(buffer)


cdef unsigned char* in_utf8(unsigned char* to, int code) noexcept nogil:
    """Write a character, and return where the next one goes."""
    if code < 0x80:
        to[0] = code
        return to + 1
    if code < 0x800:
        to[0] = 0xC0 | code >> 6
        to[1] = 0x80 | code & 0x3F
        return to + 2
    if code < 0x10000:
        to[0] = 0xE0 | code >> 12
        to[1] = 0x80 | code >> 6 & 0x3F
        to[2] = 0x80 | code & 0x3F
        return to + 3
    to[0] = 0xF0 | code >> 18
    to[1] = 0x80 | code >> 12 & 0x3F
    to[2] = 0x80 | code >> 6 & 0x3F
    to[3] = 0x80 | code & 0x3F
    return to + 4


cdef struct Known:
    Bytes text
    Py_ssize_t length
    PyObject* value


@cython.final
@cython.no_gc
cdef class Texts:
    """Texts of the rows of one answer, so that a text that many rows have is made once."""

    cdef Known known[KNOWN]

    def __cinit__(self):
        memset(self.known, 0, sizeof(self.known))

    def __dealloc__(self):
        cdef int place
        for place in range(KNOWN):
            Py_XDECREF(self.known[place].value)

    cdef PyObject* of(self, Bytes p, Py_ssize_t length, bint escaped) except NULL:
        """Return a text, as a new reference."""
        cdef Known* one
        cdef object value
        cdef uint32_t mixed
        if length > LONGEST_KNOWN:
            value = unescaped(p, length) if escaped else PyUnicode_DecodeUTF8(<const char*>p, length, NULL)
            Py_INCREF(value)
            return <PyObject*>value
        mixed = length
        if length:
            mixed += p[0] * 7 + p[length - 1] * 31 + p[length >> 1] * 131 + p[length * 3 >> 2] * 61
        one = &self.known[mixed % KNOWN]
        if one.value == NULL or one.length != length or memcmp(one.text, p, length):
            value = unescaped(p, length) if escaped else PyUnicode_DecodeUTF8(<const char*>p, length, NULL)
            Py_INCREF(value)
            Py_XDECREF(one.value)
            one.text, one.length, one.value = p, length, <PyObject*>value
        Py_INCREF(<object>one.value)
        return one.value


# Answers

@cython.final
@cython.no_gc
cdef class Plan:
    """An answer that was checked: what pages are planned by, and where each value of its rows is.

    Attributes:
        ids: the ids of the rows.
        times: their trigger times as texts, YYYY-MM-DD HH:MM:SS. Fractions are dropped.
        walls: the same times as datetimes without zone.
        count: the number of rows that the service reports. None means that it reports none.
        size: the bytes of memory that the table takes.
    """

    cdef readonly tuple ids, times, walls
    cdef readonly object count
    cdef bytes body
    cdef Bytes begin, end
    cdef uint64_t* cells
    cdef Py_ssize_t length, room
    cdef int order[FIELDS]

    def __cinit__(self, bytes body not None):
        cdef int place
        self.body = body
        self.begin = <Bytes>PyBytes_AS_STRING(body)
        self.end = self.begin + PyBytes_GET_SIZE(body)
        for place in range(FIELDS):
            self.order[place] = place

    def __dealloc__(self):
        PyMem_Free(self.cells)

    def __len__(self):
        return self.length

    @property
    def size(self):
        return self.length * FIELDS * sizeof(uint64_t)

    cdef bint read(self) except -1:
        """Read the envelope. Return False if it is not the usual one, or if anything in it is not."""
        cdef Bytes p = self.begin, q
        cdef bint code = False, data = False, message = False, escaped = False
        p = blank(p)
        if p[0] != c'{':
            return False
        while True:
            p = blank(p + 1)
            if not code and (q := behind_word(p, b'"code"')) != NULL:
                code = True
                q = value_of(q)
                q = NULL if q == NULL else behind_word(q, b"0")
            elif not message and (q := behind_word(p, b'"msg"')) != NULL:
                message = True
                q = value_of(q)
                q = NULL if q == NULL else behind_text(q, &escaped)
            elif not data and (q := behind_word(p, b'"data"')) != NULL:
                data = True
                q = value_of(q)
                q = NULL if q == NULL else self.data(q)
            else:
                return False
            if q == NULL:
                return False
            p = blank(q)
            if p[0] == c'}':
                break
            if p[0] != c',':
                return False
        return code and data and blank(p + 1) == self.end

    cdef Bytes data(self, Bytes p) except? NULL:
        """Return the byte behind the data. NULL means that it is not as documented."""
        cdef bint count = False
        cdef int64_t number
        cdef Bytes q
        if p[0] != c'{':
            return NULL
        while True:
            p = blank(p + 1)
            if not self.length and (q := behind_word(p, b'"flowInsts"')) != NULL:
                q = value_of(q)
                q = NULL if q == NULL else self.rows(q)
            elif not count and (q := behind_word(p, b'"count"')) != NULL:
                count = True
                q = value_of(q)
                q = NULL if q == NULL else behind_integer(q, &number)
                if q != NULL:
                    self.count = number
            else:
                return NULL
            if q == NULL:
                return NULL
            p = blank(q)
            if p[0] == c'}':
                return p + 1 if self.length else NULL
            if p[0] != c',':
                return NULL

    cdef Bytes rows(self, Bytes p) except? NULL:
        """Return the byte behind the list of rows. NULL means that one of them is not as documented, or there is none."""
        if p[0] != c'[':
            return NULL
        while True:
            p = blank(p + 1)
            if self.length == self.room:
                self.grow()
            p = self.row(p, self.cells + self.length * FIELDS)
            if p == NULL:
                return NULL
            self.length += 1
            p = blank(p)
            if p[0] == c']':
                return p + 1
            if p[0] != c',':
                return NULL

    cdef int grow(self) except -1:
        cdef Py_ssize_t room = 2 * self.room if self.room else (self.end - self.begin) // 700 + 8
        cdef uint64_t* cells = <uint64_t*>PyMem_Realloc(self.cells, room * FIELDS * sizeof(uint64_t))
        if cells == NULL:
            raise MemoryError
        self.cells, self.room = cells, room
        return 0

    cdef Bytes row(self, Bytes p, uint64_t* cells) noexcept:
        """Return the byte behind a row. NULL means that it is not as documented."""
        cdef int field, place = 0
        cdef uint32_t seen = 0
        for field in range(FIELDS):
            cells[field] = NONE
        if p[0] != c'{':
            return NULL
        while True:
            p = blank(p + 1)
            if p[0] != c'"':
                return NULL
            field = self.member(p, place)
            if field < 0 or seen >> field & 1:
                return NULL
            seen |= 1u << field
            place += 1
            p = value_of(p + NAMES[field].length)
            if p == NULL:
                return NULL
            p = self.value(p, field, cells + field)
            if p == NULL:
                return NULL
            p = blank(p)
            if p[0] == c'}':
                break
            if p[0] != c',':
                return NULL
        return NULL if cells[ID] == NONE or cells[TRIGGER] == NONE else p + 1

    cdef inline int member(self, Bytes p, int place) noexcept:
        """Return the field of a member by its name, -1 for an unknown one. The rows of an answer have one order."""
        cdef Py_ssize_t left = self.end - p
        cdef int field
        if place < FIELDS:
            field = self.order[place]
            if NAMES[field].length < left and not memcmp(p, NAMES[field].text, NAMES[field].length):
                return field
        for field in range(FIELDS):
            if NAMES[field].length < left and not memcmp(p, NAMES[field].text, NAMES[field].length):
                if place < FIELDS:
                    self.order[place] = field
                return field
        return -1

    cdef inline Bytes value(self, Bytes p, int field, uint64_t* cell) noexcept:
        """Return the byte behind a value, and note the value. NULL means that it has another type."""
        cdef Kind kind = NAMES[field].kind
        cdef bint escaped = False
        cdef Bytes end
        if p[0] == c'n':
            return behind_word(p, b"null")
        if kind == INTEGER:
            return behind_integer(p, <int64_t*>cell)
        if kind == FLAG:
            cell[0] = p[0] == c't'
            return behind_word(p, b"true" if p[0] == c't' else b"false")
        end = behind_text(p, &escaped)
        if end == NULL:
            return NULL
        if kind == TIME:
            cell[0] = NONE if escaped else time_of(p + 1, end - p - 2)
            return NULL if cell[0] == NONE else end
        if field == ID and end - p == 2:
            return NULL
        cell[0] = <uint64_t>(p - self.begin) | <uint64_t>(end - p) << 32
        if escaped:
            cell[0] |= ESCAPED
        return end

    cdef int note_columns(self) except -1:
        """Make the columns by which a page is planned."""
        cdef Py_ssize_t row
        cdef uint64_t cell, last = NONE
        cdef object text = None, wall = None, name
        self.ids, self.times, self.walls = PyTuple_New(self.length), PyTuple_New(self.length), PyTuple_New(self.length)
        for row in range(self.length):
            cell = self.cells[row * FIELDS + ID]
            name = text_of_cell(self.begin, cell)
            Py_INCREF(name)
            PyTuple_SET_ITEM(self.ids, row, name)
            cell = self.cells[row * FIELDS + TRIGGER] & ~<uint64_t>0xFFFFF
            if cell != last:
                last, text, wall = cell, text_of_time(cell), datetime_of(cell)
            Py_INCREF(text)
            PyTuple_SET_ITEM(self.times, row, text)
            Py_INCREF(wall)
            PyTuple_SET_ITEM(self.walls, row, wall)
        return 0


cdef inline Bytes value_of(Bytes p) noexcept nogil:
    """Return the first byte of a value, from the byte behind its name. NULL means that there is no colon."""
    p = blank(p)
    return blank(p + 1) if p[0] == c':' else NULL


cdef object text_of_cell(Bytes start, uint64_t cell):
    cdef Bytes p = start + <uint32_t>cell + 1
    cdef Py_ssize_t length = (cell >> 32 & 0x7FFFFFFF) - 2
    return unescaped(p, length) if cell & ESCAPED else PyUnicode_DecodeUTF8(<const char*>p, length, NULL)


# Instances

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
