"""rect-encoder: a chest CT to tokens of its patches, of its 20 regions and of the whole."""

from rect_encoder.config import BASE, SMALL, TINY, EncoderConfig
from rect_encoder.embed import EncodedScan, embed, encode
from rect_encoder.model import VisionEncoder

__all__ = ["BASE", "SMALL", "TINY", "EncodedScan", "EncoderConfig", "VisionEncoder", "embed", "encode"]
