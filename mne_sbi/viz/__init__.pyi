from ._calibration import plot_calibration as plot_calibration
from ._calibration import plot_coverage as plot_coverage
from ._calibration import plot_sbc as plot_sbc
from ._posterior import plot_marginals as plot_marginals
from ._posterior import plot_pairs as plot_pairs
from ._recovery import plot_recovery as plot_recovery
from ._spectra import plot_inversion as plot_inversion
from ._spectra import plot_predictive as plot_predictive
