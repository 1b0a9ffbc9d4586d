"""Columns: the values of one member in all rows, as the buffers of an Arrow array."""

_NUMBERS = {member[0]: number for number, member in enumerate(_MEMBERS)}


cdef int64_t microseconds_of(uint64_t time) noexcept nogil:
    """Return the microseconds from 1970-01-01 00:00:00 to a packed time."""
    cdef int64_t year = time >> 46, month = time >> 42 & 15, days
    # Years begin in March here, so that a leap day is the last one. In 400 years there are 146,097 days.
    if month < 3:
        year -= 1
        month += 12
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + (time >> 37 & 31) - 719469
    return ((days * 24 + (time >> 32 & 31)) * 60 + (time >> 26 & 63)) * 60_000_000 + (
        (time >> 20 & 63) * 1_000_000 + (time & 0xFFFFF))


cdef bytes zeros(Py_ssize_t count):
    """Return new bytes, which may be written until others see them."""
    cdef bytes found = PyBytes_FromStringAndSize(NULL, count)
    memset(PyBytes_AS_STRING(found), 0, count)
    return found


cdef tuple column_of(list plans, int field):
    cdef Kind kind = NAMES[field].kind
    cdef Py_ssize_t rows = 0, missing = 0, at = 0, row, most = 0
    cdef Plan plan
    cdef uint64_t cell
    cdef bint is_text = kind == TEXT or kind == GRAPH
    for plan in plans:
        rows += plan.length
        if is_text:
            for row in range(plan.length):
                most += plan.cells[row * FIELDS + field] >> 32 & 0x7FFFFFFF
    if most > LONGEST:
        raise OverflowError("the texts of a column are too long")
    cdef bytes known = zeros((rows + 7) // 8)
    cdef bytes values = zeros((rows + 7) // 8 if kind == FLAG else 4 * (rows + 1) if is_text else 8 * rows)
    cdef PyObject* texts = NULL
    cdef unsigned char* bits = <unsigned char*>PyBytes_AS_STRING(known)
    cdef unsigned char* flags = <unsigned char*>PyBytes_AS_STRING(values)
    cdef int64_t* numbers = <int64_t*>flags
    cdef uint32_t* ends = <uint32_t*>flags
    cdef unsigned char* begin = NULL
    cdef unsigned char* to = NULL
    if is_text:
        texts = PyBytes_FromStringAndSize_(NULL, most)
        if texts == NULL:
            raise MemoryError
        begin = to = <unsigned char*>PyBytes_AS_STRING(<object>texts)
    for plan in plans:
        for row in range(plan.length):
            cell = plan.cells[row * FIELDS + field]
            if cell == NONE:
                missing += 1
            else:
                bits[at >> 3] |= 1 << (at & 7)
                if is_text:
                    to = write_text(plan.begin, cell, to)
                elif kind == FLAG:
                    flags[at >> 3] |= cell << (at & 7)
                else:
                    numbers[at] = microseconds_of(cell) if kind == TIME else <int64_t>cell
            at += 1
            if is_text:
                ends[at] = to - begin
    if not is_text:
        return rows, missing, known, values, None
    _PyBytes_Resize(&texts, to - begin)
    data = <object>texts
    Py_DECREF(data)  # `data` holds it now
    return rows, missing, known, values, data


cdef unsigned char* write_text(Bytes begin, uint64_t cell, unsigned char* to) noexcept nogil:
    """Write the text of a cell, and return where it ends."""
    cdef Bytes p = begin + <uint32_t>cell + 1
    cdef Py_ssize_t length = (cell >> 32 & 0x7FFFFFFF) - 2
    if cell & ESCAPED:
        return unescape(p, length, to)
    memcpy(to, p, length)
    return to + length
