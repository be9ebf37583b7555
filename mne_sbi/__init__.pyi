from . import datasets as datasets
from . import diagnostics as diagnostics
from . import estimators as estimators
from . import features as features
from . import inference as inference
from . import models as models
from . import simulation as simulation
from . import testing as testing
from . import viz as viz
from ._connectome import Connectome as Connectome
from ._connectome import read_connectome as read_connectome
from ._lead_field import LeadField as LeadField
from ._lead_field import read_lead_field as read_lead_field
from ._priors import Parameter as Parameter
from ._priors import Prior as Prior
from ._sys_info import sys_info as sys_info
from .estimators import ModelInverter as ModelInverter
from .estimators import SGMInverter as SGMInverter
from .estimators import read_inverter as read_inverter
from .inference import Posterior as Posterior
from .inference import read_posterior as read_posterior
from .models import get_model as get_model
from .models import list_models as list_models
from .simulation import SimulationBank as SimulationBank
from .simulation import read_simulation_bank as read_simulation_bank

__version__: str
