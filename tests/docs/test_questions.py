"""The lines that docs/questions.md shows are what its commands print: the same words, and nearly the same numbers."""

import re

import polars as pl
import pytest

from tests.docs.pages import FENCE, PAGES, command_of

QUESTIONS = dict(part.split("\n", 1) for part in re.split(r"^## ", PAGES["docs/questions.md"], flags=re.MULTILINE)[1:])
"""The text below each question."""
STAMPS = (
    (re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}"), "RUN"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:]+Z"), "TIME"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "FINGERPRINT"),
    (re.compile(r"\S+@\S+"), "WHO"),
)
NUMBER = re.compile(r"[+-]?\d[\d,]*(?:\.\d+)?")
SHARE, AMOUNT = 0.05, 0.05
"""How far a number may be from the shown one, relative to it and beyond that: processors round training differently."""


@pytest.fixture
def market(shop):
    """The shop with the catalog of its first run, without what the examples of other pages add."""
    catalog = shop / "work/data/products.parquet"
    pl.read_parquet(catalog).drop("stock", "family_id").write_parquet(catalog)
    return shop


@pytest.fixture
def answer(gpu_pricer, market):
    """answer(command) is what the command prints in the market."""

    def printed(line):
        ended = gpu_pricer(*command_of(line).arguments, "data=synthetic")
        assert ended.status == 0, ended.said
        return ended.out

    return printed


def blocks(question, language):
    """The fenced blocks of a language below a question."""
    return [text for found, text in FENCE.findall(QUESTIONS[question]) if found == language]


def unstamped(text):
    """The text with single spaces and short rules, and without what is stamped on every run."""
    text = re.sub("─+", "─", " ".join(text.split()))
    for pattern, word in STAMPS:
        text = pattern.sub(word, text)
    return text


def split(line):
    """The words of a line and its numbers."""
    line = unstamped(line)
    return NUMBER.sub("N", line), [float(number.replace(",", "")) for number in NUMBER.findall(line)]


def is_near(shown, found):
    return all(abs(one - other) <= AMOUNT + SHARE * abs(one) for one, other in zip(shown, found, strict=True))


def lost(question, printed):
    """The lines shown below a question that were not printed."""
    found = [split(line) for line in printed.splitlines()]
    shown = [line for block in blocks(question, "text") for line in block.splitlines()]
    return [
        line
        for line in shown
        if not any(words == split(line)[0] and is_near(split(line)[1], numbers) for words, numbers in found)
    ]


@pytest.mark.parametrize("question", [*QUESTIONS][:3])
def test_answer_is_what_the_commands_print(answer, question):
    commands = "".join(blocks(question, "sh")).splitlines()

    printed = "".join(answer(line) for line in commands)

    assert len(commands) in (1, 2)
    assert lost(question, printed) == []


APPROVAL = "publish.approval.asks=all publish.approval.off_shelf=true"


def test_list_of_versions_says_who_decided(market, answer):
    question = "Who approved this version?"
    answer(f"gpu-pricer score backend=cpu {APPROVAL}")
    answer(f"gpu-pricer review {APPROVAL}")
    sheet = pl.read_csv(market / "work/review.csv", infer_schema=False)
    product = pl.col("product_id")
    said = pl.when(product == "100001").then(pl.lit("reject")).when(product == "100005").then(pl.lit("override"))
    given = pl.when(product == "100005").then(pl.lit("7.99")).alias("price")
    sheet.with_columns(decision=said.otherwise(pl.lit("accept")), price=given).write_csv(market / "work/review.csv")
    decided = answer(f"gpu-pricer review {APPROVAL} review.decisions=work/review.csv review.who=Ann")
    assert "16 new decisions by Ann" in decided
    answer(f"gpu-pricer publish {APPROVAL}")

    command, shown = *blocks(question, "sh"), *blocks(question, "text")
    found = unstamped(answer(command)).split()  # in a table, whose columns are as wide as the name of the machine

    assert [word for word in unstamped(shown).split() if word not in found] == []
