"""Small networks, quick to train: their settings, and what their users want."""

from gpu_pricer.network.encoding.loading import EncodingConfig
from gpu_pricer.network.encoding.teaching import TeachingRule
from gpu_pricer.network.model.demand_network import NetworkConfig
from gpu_pricer.network.model.history_encoder import HistoryConfig
from gpu_pricer.network.model.objective import OptimiserConfig
from gpu_pricer.network.response.applying import ResponseConfig
from gpu_pricer.network.response.fitting.fit import FitConfig
from gpu_pricer.network.response.grid.controls import EndogeneityConfig
from gpu_pricer.network.segments.members import Members, period_to_price
from gpu_pricer.network.training.fitting import ModelConfig, TrainerConfig, Workplace, fit_network
from gpu_pricer.network.training.loggers import NoLogger
from gpu_pricer.network.training.market import learn_market

ENCODING = EncodingConfig(min_count=2, teaching=TeachingRule(0.7, 0, 0.7))
NETWORK = NetworkConfig(taste_width=4, carry_periods=4, history=HistoryConfig(hidden=16, dropout=0.5))
OPTIMISER = OptimiserConfig("choices", 0.005, 0.01, steps=150, max_alternatives=64)
RESPONSE = ResponseConfig(
    EndogeneityConfig(None, planned_promotions=True, folds=4),
    FitConfig(passes=40, tolerance=0.05, prior_elasticity=None),
    False,
    4,
    draws=0,
)
CPU = TrainerConfig("cpu", devices=1, num_nodes=1, strategy="auto", precision="32-true")


def fresh(folder):
    """A folder for a training that starts afresh and is not recorded."""
    return Workplace(folder, False, NoLogger(), {})


def continued(folder):
    """A folder for a training that goes on from its checkpoints and is not recorded."""
    return Workplace(folder, True, NoLogger(), {})


def all_members(network):
    """All users in the period to price."""
    return Members(network, period_to_price(network))


def mean_sensitivity_of_products(network):
    """Sensitivity of every product, averaged over the users, [P]."""
    return all_members(network).demand(slice(0, 20))[1].mean(0).numpy()


def trained_network(data, directory, folder, network=NETWORK, optimiser=OPTIMISER, start=None):
    """A network trained on the canonical tables in `directory`; its files go to `folder`."""
    household = learn_market(data, directory, RESPONSE).household
    trained = fit_network(data, household, ModelConfig(network, optimiser), CPU, fresh(folder), seed=0, start=start)
    return trained.network.eval()
