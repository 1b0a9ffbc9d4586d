"""Answers: one pass that checks all of one, and notes where each value is."""

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
