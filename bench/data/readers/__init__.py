"""Readers of volume files, one file a format, and the way back for a label map."""

from bench.data.readers.dataset_json import DatasetJson, read_dataset_json
from bench.data.readers.dispatch import SUFFIXES, read_image, stem_of, suffix_of
from bench.data.readers.image import RawImage
from bench.data.readers.labels import write_label
from bench.data.readers.locate import folders
from bench.data.readers.metaimage import read_meta_header
from bench.data.readers.numpy_files import npz_shape
from bench.data.readers.pair import files_of, grid_shift, read_pair

__all__ = [
    "SUFFIXES",
    "DatasetJson",
    "RawImage",
    "files_of",
    "folders",
    "grid_shift",
    "npz_shape",
    "read_dataset_json",
    "read_image",
    "read_meta_header",
    "read_pair",
    "stem_of",
    "suffix_of",
    "write_label",
]
