"""Values in JSON: where they end, whether they are as documented, and what they are in Python."""

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

cdef unsigned char* unescape(Bytes p, Py_ssize_t length, unsigned char* to) noexcept nogil:
    """Write a text that was checked before, without its escapes, and return where it ends. It becomes no longer."""
    cdef Bytes end = p + length
    cdef int code
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
    return to


cdef object unescaped(Bytes p, Py_ssize_t length):
    """Return a text that was checked before."""
    cdef unsigned char* buffer = <unsigned char*>PyMem_Malloc(length + 1)
    if buffer == NULL:
        raise MemoryError
    try:
        return PyUnicode_DecodeUTF8(<const char*>buffer, unescape(p, length, buffer) - buffer, NULL)
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
