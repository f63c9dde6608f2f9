"""Why a store cannot be used."""

from __future__ import annotations


class StoreError(Exception):
    """The store cannot be used; the message says what to do."""


class StoreInUseError(StoreError):
    """Another server has the data folder."""
