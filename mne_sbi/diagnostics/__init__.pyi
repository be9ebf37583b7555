from ._calibration import Calibration as Calibration
from ._calibration import calibration_error as calibration_error
from ._calibration import coverage as coverage
from ._calibration import sbc_ranks as sbc_ranks
