"""Promise and outcome: what earlier versions promised, and what the log shows since they were in force."""

from gpu_pricer.evaluation.ledger.outcome import ledger_of, products_left_out
from gpu_pricer.evaluation.ledger.sales_log import SalesLog, read_sales_log
from gpu_pricer.evaluation.ledger.words import BEATEN, KEPT, MISSED, NOT_APPLIED, sentence

__all__ = [
    "BEATEN",
    "KEPT",
    "MISSED",
    "NOT_APPLIED",
    "SalesLog",
    "ledger_of",
    "products_left_out",
    "read_sales_log",
    "sentence",
]
