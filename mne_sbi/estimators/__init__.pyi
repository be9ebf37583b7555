from ._arrays import EpochsToArray as EpochsToArray
from ._files import read_inverter as read_inverter
from ._inverter import ModelInverter as ModelInverter
from ._jansen_rit import JansenRitInverter as JansenRitInverter
from ._named import SGMInverter as SGMInverter
