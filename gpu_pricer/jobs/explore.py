"""explore: a local page on which people decide on a version's prices, and publish it."""

import importlib.util
from pathlib import Path
from typing import cast

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from gpu_pricer.errors import InputError, Refused
from gpu_pricer.jobs import publish, review
from gpu_pricer.review.settings import ExploreSettings


def inputs(config: DictConfig) -> list[Path]:
    """Return what `explore` reads, except the price table and the decisions."""
    return review.inputs(config)


def main(config: DictConfig) -> None:
    """Serve a page on which people accept, reject or set prices, see what that leads to, and publish.

    Reads   paths.shards    a scored version; by default the last one that `score` finished for paths.work
    Writes  paths.prices/_decisions   every decision at once, with who (review.who) and when; see gpu-pricer review
            paths.prices    the version as decided, and its publication, when a person publishes

    The page is at explore.host, by default this machine alone, under a path that is drawn anew each time: give the
    printed address to nobody who may not decide. SIGINT (Ctrl-C) ends it. It needs `pip install -e ".[explore]"`.

    Example: gpu-pricer explore publish.approval.asks=all
    """
    if importlib.util.find_spec("nicegui") is None:
        raise InputError('explore needs NiceGUI, found it not installed: pip install -e ".[explore]"')
    from gpu_pricer.review.server import serve  # NiceGUI is optional, and slow to import

    settings: ExploreSettings = instantiate(config.explore)
    opened = review.open_review(config)

    def publish_as_decided() -> list[str]:
        """Publish the version as decided and return lines on what came of it, refusals included."""
        try:
            folder = review.settle(config, opened)
            publish.main(cast(DictConfig, OmegaConf.merge(config, {"paths": {"shards": str(folder)}})))
        except (InputError, Refused, OSError) as error:
            return [str(line) for line in error.args] if isinstance(error, Refused) else [str(error)]
        return [f"Published {folder.name}."]

    serve(opened.desk, settings, publish_as_decided, lambda address: print(f"decide at {address}", flush=True))
    print(f"ended; the decisions are in {Path(config.paths.prices) / '_decisions'}")
