from ._calibration import Calibration as Calibration
from ._calibration import calibration_error as calibration_error
from ._calibration import coverage as coverage
from ._calibration import sbc_ranks as sbc_ranks
from ._predictive import calibrated_rms as calibrated_rms
from ._predictive import regional_correlation as regional_correlation
from ._predictive import spectral_baselines as spectral_baselines
from ._predictive import spectral_correlation as spectral_correlation
