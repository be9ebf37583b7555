from ._connectomes import make_connectome as make_connectome
from ._models import check_forward_model as check_forward_model
