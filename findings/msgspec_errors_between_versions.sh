#!/usr/bin/env bash
# msgspec: the exceptions for a value of the wrong type and for bad UTF-8 depend on the version.
#
# Seen with Python 3.11, msgspec 0.20.0, 0.21.1, 0.22.0 and 0.23.0:
# - A value of the wrong type raises ValidationError in all of them. It is a ValueError since 0.21 only, so code that
#   catches ValueError around a decoder handles it with one version, and is ended by it with the other.
# - Bytes that are not UTF-8 inside a string raise UnicodeDecodeError up to 0.22 (a ValueError, but no MsgspecError), and
#   DecodeError in 0.23 (a ValueError and a MsgspecError). Code that tells "not UTF-8" by the class finds it with one of them only.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/look.py" << 'EOF'
import msgspec


class Row(msgspec.Struct):
    id: int


def raised(data: bytes, meant: object) -> str:
    try:
        msgspec.json.decode(data, type=meant)
    except Exception as error:
        kinds = f"ValueError: {isinstance(error, ValueError)}, MsgspecError: {isinstance(error, msgspec.MsgspecError)}"
        return f"{type(error).__name__} ({kinds})"
    return "nothing"


print("wrong type:", raised(b'{"id": "x"}', Row))
print("not UTF-8:", raised(b'"\xff"', str))
EOF

expect() {
    python3 -m venv "$work/$1"
    "$work/$1/bin/pip" install --quiet --disable-pip-version-check "msgspec==$1" 2> /dev/null
    echo "msgspec $1"
    "$work/$1/bin/python" "$work/look.py" | tee "$work/seen.txt"
    diff - "$work/seen.txt" || { echo "msgspec $1 behaves in another way now"; exit 1; }
}
expect 0.20.0 << 'EOF'
wrong type: ValidationError (ValueError: False, MsgspecError: True)
not UTF-8: UnicodeDecodeError (ValueError: True, MsgspecError: False)
EOF
expect 0.21.1 << 'EOF'
wrong type: ValidationError (ValueError: True, MsgspecError: True)
not UTF-8: UnicodeDecodeError (ValueError: True, MsgspecError: False)
EOF
expect 0.22.0 << 'EOF'
wrong type: ValidationError (ValueError: True, MsgspecError: True)
not UTF-8: UnicodeDecodeError (ValueError: True, MsgspecError: False)
EOF
expect 0.23.0 << 'EOF'
wrong type: ValidationError (ValueError: True, MsgspecError: True)
not UTF-8: DecodeError (ValueError: True, MsgspecError: True)
EOF
