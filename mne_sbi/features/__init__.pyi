from ._base import FeatureExtractor as FeatureExtractor
from ._connectivity import EnvelopeCorrelation as EnvelopeCorrelation
from ._joined import Joined as Joined
from ._noise import SpectralNoise as SpectralNoise
from ._spectral import LogPSD as LogPSD
from ._time_series import TimeSeries as TimeSeries
