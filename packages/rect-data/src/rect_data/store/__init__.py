"""Scans on a model grid, compressed so that training reads them faster than it can use them."""

from rect_data.store.layout import StoreConfig
from rect_data.store.reader import StoredCase, StoreReader

__all__ = ["StoreConfig", "StoreReader", "StoredCase"]
