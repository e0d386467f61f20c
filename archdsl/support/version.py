"""The version: the package's metadata and every file that archdsl writes carry it."""

__version__ = "0.1.0"
