"""The tables of metrics.json compare models on the same offers only."""

from rich.console import Console

from gpu_pricer.terminal.scoreboard import scoreboard


def block(rows: int, log_loss: float, deviance: float) -> dict:
    """Return a model's block of metrics.json on so many offers."""
    scores = {"rows": rows, "log_loss": log_loss, "auc": 0.8, "ece": 0.001, "predicted_over_actual": 1.0}
    return scores | {"poisson_deviance": {"all": deviance}}


def printed(metrics: dict) -> list[str]:
    """Return the titles and rows of the printed tables, one line each."""
    console = Console(width=160)
    with console.capture() as capture:
        console.print(*scoreboard(metrics), sep="\n")
    return capture.get().splitlines()


def test_baselines_of_a_sample_stand_beside_the_network_on_that_sample():
    rival = block(50, 0.0085, 0.37) | {"ours": block(50, 0.0078, 0.31)}

    lines = printed({"test": block(4000, 0.0091, 1.96), "baselines": {"logit": rival}})

    whole, sample = "\n".join(lines).split("a sample of 50 of them")
    assert "0.00910" in whole
    assert "logit" not in whole
    assert "0.00780" in sample
    assert "0.31" in sample
    assert "0.00850" in sample
    assert "0.00910" not in sample


def test_baselines_of_all_offers_share_the_table_of_the_network():
    ours = block(4000, 0.0091, 1.96)

    lines = printed({"test": ours, "baselines": {"logit": block(4000, 0.0085, 1.37) | {"ours": ours}}})

    assert sum("AUC" in line for line in lines) == 1
    assert sum("network" in line for line in lines) == 1
    assert any("logit" in line for line in lines)


def test_predictions_stand_by_the_age_of_the_price():
    over = {"1": 1.1, "over_4": None, "never": 0.9}  # None: not every fold had such offers
    by_age = {age: {"predicted_over_actual": over[age]} for age in over}
    by_age["never"]["interval"] = [0.78, 1.04]
    test = block(4000, 0.0091, 1.96) | {"by_price_age": by_age}

    lines = printed({"test": test})

    heads, row = next((lines[i], lines[i + 2]) for i, line in enumerate(lines) if "since the price was" in line)
    assert [words.strip() for words in heads.strip("┃").split("┃")][1:] == ["1", "over 4", "never"]
    assert [words.strip() for words in row.strip("│").split("│")] == ["network", "1.10", "", "0.90 [0.78, 1.04]"]


def test_scores_that_nothing_tells_are_left_out_and_ages_without_purchases_say_so():
    by_age = {
        "1": {"bought": 2.0, "predicted_over_actual": 1.1, "interval": [0.9, 1.3]},
        "2": {"bought": 0.0, "predicted_over_actual": float("nan"), "interval": [float("nan")] * 2},
    }
    test = block(4000, 0.0091, 1.96) | {"by_price_age": by_age}
    test["poisson_deviance"]["moved_15pct"] = float("nan")

    lines = printed({"test": test})

    assert not any("nan" in line for line in lines)
    assert any("│ network" in line and line.rstrip("│ ").endswith("1.10 [0.90, 1.30] │ none bought") for line in lines)
