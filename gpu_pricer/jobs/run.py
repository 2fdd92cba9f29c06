"""run: every job in order, from raw tables to a published, evaluated price table."""

import logging
import time

from omegaconf import DictConfig

from gpu_pricer.jobs import evaluate, prepare, publish, score, train

log = logging.getLogger(__name__)

STEPS = {"prepare": prepare, "train": train, "score": score, "publish": publish, "evaluate": evaluate}


def main(config: DictConfig) -> None:
    """Prepare, train, score, publish and evaluate, in order; the first failure ends the run.

    Whatever fails, the published table stays the last whole version; run it again to go on.

    Example: gpu-pricer run data=synthetic paths.work=work-synthetic paths.prices=prices-synthetic
    """
    for name, job in STEPS.items():
        started = time.perf_counter()
        log.info("%s …", name)
        job.main(config)
        log.info("%s took %.1f s", name, time.perf_counter() - started)
