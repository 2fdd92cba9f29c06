"""Small networks, quick to train: their settings, and what their users want."""

from gpu_pricer.network.encoding.loading import EncodingConfig
from gpu_pricer.network.model.demand_network import NetworkConfig
from gpu_pricer.network.model.history_encoder import HistoryConfig
from gpu_pricer.network.model.objective import OptimiserConfig
from gpu_pricer.network.price_response.parameters import PriorConfig
from gpu_pricer.network.price_response.settling import PriceResponseConfig
from gpu_pricer.network.segments.members import Members, period_to_price
from gpu_pricer.network.training.fitting import TrainerConfig

ENCODING = EncodingConfig(min_count=2, min_price_coverage=0.7, price_memory=8, half_lives=[2, 8, 32])
NETWORK = NetworkConfig(
    taste_width=4, sensitivity_width=1, start_sensitivity=1.0, season_spread=0.5, carry_periods=4,
    history=HistoryConfig(hidden=16, dropout=0.5),
)  # fmt: skip
OPTIMISER = OptimiserConfig("choices", 0.005, 0.02, 0.01, 512, max_epochs=6, patience=3, max_alternatives=64)
PRIOR = PriorConfig(level=1.0, effect=0.3, user_level=0.5, attribute=0.5, product=0.5, user=0.5, shock=0.1)
PRICE_RESPONSE = PriceResponseConfig(passes=40, tolerance=0.3, prior=PRIOR)
CPU = TrainerConfig("cpu", devices=1, num_nodes=1, strategy="auto", precision="32-true")


def all_members(network):
    """All users in the period to price."""
    return Members(network, period_to_price(network))


def mean_sensitivity_of_products(network):
    """Sensitivity of every product, averaged over the users, [P]."""
    return all_members(network).demand(slice(0, 20))[1].mean(0).numpy()
