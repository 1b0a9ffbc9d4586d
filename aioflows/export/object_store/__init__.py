"""Exports to object stores such as Amazon S3, through fsspec."""
