"""Readers of data sets: each lists a set as manifest rows and reads its scans the one right way."""

from rect_data.readers.ct_rate import CtRate
from rect_data.readers.folder import FolderCt
from rect_data.readers.masks import read_lesions, read_regions
from rect_data.readers.nnunet import NnUnetCt
from rect_data.readers.reader import Reader
from rect_data.readers.rexgrounding import ReXGroundingCt
from rect_data.readers.totalsegmentator import TotalSegmentatorCt

__all__ = [
    "CtRate",
    "FolderCt",
    "NnUnetCt",
    "ReXGroundingCt",
    "Reader",
    "TotalSegmentatorCt",
    "read_lesions",
    "read_regions",
]
