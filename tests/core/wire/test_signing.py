"""Signatures, against the examples that the vendor has worked out."""

from __future__ import annotations

import hashlib

from aioflows._core.wire.signing import encryption, signature, signed_text

BODY = '{\n  "count": 20,\n  "page": 1,\n  "desc": "描述"\n}'.encode()
TIMESTAMP = 1572574909697


class TestSignature:
    def test_the_documented_example_is_reproduced(self) -> None:
        signed = signed_text([("k3", "v3"), ("k1", "v1"), ("k2", "v2")], BODY)
        assert (
            signature("xxxxaaaxxxx", signed, TIMESTAMP, "xxxappSecretxxx")
            == "59828328f6c1f9771015dc74e4929ae30f518a35a3d2353972c2ea46556fc981"
        )


class TestSignedText:
    def test_parameters_stand_in_the_order_of_their_names_with_the_body_after_them(self) -> None:
        assert signed_text([("userId", "u"), ("action", "search"), ("orgId", "o")], b"{}") == (
            b"actionsearchorgIdouserIdu{}"
        )

    def test_upper_case_sorts_before_lower_case_as_in_ascii(self) -> None:
        assert signed_text([("a", "1"), ("B", "2")], None) == b"B2a1"

    def test_a_longer_name_sorts_after_its_beginning(self) -> None:
        assert signed_text([("aa", "1"), ("a", "2")], None) == b"a2aa1"

    def test_values_count_as_they_are_before_percent_encoding(self) -> None:
        assert signed_text([("expression", "a b/描&=+%")], None) == "expressiona b/描&=+%".encode()

    def test_values_of_one_name_keep_their_order(self) -> None:
        assert signed_text([("k", "z"), ("k", "a")], None) == b"kzka"

    def test_the_body_is_taken_byte_for_byte(self) -> None:
        assert signed_text([], b"\xff\x00 {") == b"\xff\x00 {"


class TestEncryption:
    def test_it_is_the_hash_of_key_timestamp_and_secret(self) -> None:
        key = "5acb82e7-a11e-4300-9164-c8b20b638e8b"
        expected = hashlib.sha256(f"{key}1572574909697secret".encode()).hexdigest()
        assert encryption(key, TIMESTAMP, "secret") == expected
