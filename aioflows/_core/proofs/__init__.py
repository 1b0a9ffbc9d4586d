"""The proofs that an answer gives: by a page, by an empty answer, or by a row that is missing."""
