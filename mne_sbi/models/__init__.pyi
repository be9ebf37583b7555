from ._base import ForwardModel as ForwardModel
from ._jansen_rit import JansenRit as JansenRit
from ._recorded import Recorded as Recorded
from ._registry import ForwardModelInfo as ForwardModelInfo
from ._registry import PluginError as PluginError
from ._registry import get_model as get_model
from ._registry import list_models as list_models
from ._spectral_graph import SpectralGraphModel as SpectralGraphModel
