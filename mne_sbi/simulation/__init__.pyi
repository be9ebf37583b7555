from ._activity import Activity as Activity
from ._activity_run import simulate_activity as simulate_activity
from ._bank import SimulationBank as SimulationBank
from ._bank import read_simulation_bank as read_simulation_bank
from ._run import simulate as simulate
