from ._abc import RejectionABC as RejectionABC
from ._base import InferenceMethod as InferenceMethod
from ._npe import NPE as NPE
from ._point import PointRegressor as PointRegressor
from ._posterior import Posterior as Posterior
from ._posterior import read_posterior as read_posterior
