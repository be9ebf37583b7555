from ._base import FeatureExtractor as FeatureExtractor
from ._noise import SpectralNoise as SpectralNoise
from ._spectral import LogPSD as LogPSD
