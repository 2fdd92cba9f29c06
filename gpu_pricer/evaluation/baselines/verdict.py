"""Which baselines predict better than the demand model, and how a user is told."""

SCORE = "log_loss"


def better_rivals(baselines: dict[str, dict]) -> list[str]:
    """Return the names of the baselines whose log loss is lower than ours by the whole interval of the difference.

    baselines: the block baselines of metrics.json.
    """
    return [name for name, block in baselines.items() if block["ours_minus_theirs"][SCORE][0] > 0]


def verdict_lines(baselines: dict[str, dict], level: float) -> list[str]:
    """Return a line per baseline: its log loss beside ours, and in words which is better.

    baselines: as in better_rivals. level: share of the bootstrap's replicates inside an interval.
    """
    return [_line(name, block, level) for name, block in baselines.items()]


def _line(name: str, block: dict, level: float) -> str:
    theirs, ours = block[SCORE], block["ours"][SCORE]
    low, high = block["ours_minus_theirs"][SCORE]
    words, advice = "predicts about as well as", ""
    if low > 0:
        words, advice = "predicts better than", "; do not trust prices made from this model before you know why"
    elif high < 0:
        words = "predicts worse than"
    return (
        f"{name} {words} this demand model: log loss {theirs:.4f} against {ours:.4f} "
        f"(difference {ours - theirs:.4f}, {level:.0%} interval {low:.4f} to {high:.4f}){advice}"
    )
