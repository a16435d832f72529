"""Where CT-RATE keeps things (Hamamci et al. 2024, https://arxiv.org/abs/2403.17834), relative to the data set's root.

A volume `train_1_a_2` is split, patient, scan letter and reconstruction; every table names it `train_1_a_2.nii.gz`.
Version 2 of the volumes (`train_fixed`) is in HU; lesions, regions, lobes and reasoning are ours, beside CT-RATE's own.
"""

from typing import Final

SPLITS: Final = ("train", "valid")
METADATA: Final = {
    split: f"dataset/metadata/{name}_metadata.csv" for split, name in zip(SPLITS, ("train", "validation"), strict=True)
}
REPORTS: Final = {
    split: f"dataset/radiology_text_reports/{name}_reports.csv"
    for split, name in zip(SPLITS, ("train", "validation"), strict=True)
}
LABELS: Final = {split: f"dataset/multi_abnormality_labels/{split}_predicted_labels.csv" for split in SPLITS}
REASONING: Final = {split: f"dataset/reasoning/{split}_reasoning.jsonl" for split in SPLITS}
PHANTOMS: Final = "phantoms.json"
"""In the root of a data set that tools/make_phantoms.py wrote: by this file its scans are known for phantoms."""
TS_TASKS: Final = ("ts_total", "ts_lung_nodules", "ts_pleural_pericard_effusion")


def folder(name: str) -> str:
    """Folders of a volume inside a split: "train_1_a_2" -> "train_1/train_1_a"."""
    scan = name.rpartition("_")[0]
    return f"{scan.rpartition('_')[0]}/{scan}"


def split_of(name: str) -> str:
    """The split that a name begins with; another beginning raises ValueError."""
    split = name.partition("_")[0]
    if split not in SPLITS:
        raise ValueError(f"{name!r} is not a volume of CT-RATE: names begin with {' or '.join(SPLITS)}")
    return split


def volume_path(name: str) -> str:
    """File of a volume in version 2."""
    return f"dataset/{split_of(name)}_fixed/{folder(name)}/{name}.nii.gz"


def ts_path(task: str, name: str) -> str:
    """File of TotalSegmentator's labels of a volume; task: one of TS_TASKS."""
    return f"dataset/ts_seg/{task}/{split_of(name)}_fixed/{folder(name)}/{name}.nii.gz"


def lesion_path(name: str, finding: str) -> str:
    """File of the instances of one of the five findings."""
    return f"dataset/lesions/{split_of(name)}/{folder(name)}/{name}_{finding}.nii.gz"


def map_path(kind: str, name: str) -> str:
    """File of a label map; kind: regions or lobes."""
    return f"dataset/{kind}/{split_of(name)}/{folder(name)}/{name}.nii.gz"
