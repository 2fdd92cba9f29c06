"""Prices with and without VAT, as far as the names of their columns say it, such as `VK brutto` and `Prix HT`."""

from dataclasses import dataclass

from gpu_pricer.data.intake.matching import BY_NAME, TakenFile, is_optional
from gpu_pricer.data.intake.vocabulary import GROSS, NET, NONE, PRICES, Question, Vocabulary, override
from gpu_pricer.data.raw.raw_tables import SCHEMAS


@dataclass(frozen=True)
class NamedPrice:
    """A file's column of prices whose name says whether they include VAT; side: NET or GROSS."""

    taken: TakenFile
    name: str
    column: str
    side: str

    @property
    def is_guessed(self) -> bool:
        """Whether the column is taken by its name and not by an answer of the user."""
        return self.taken.readings[self.name].reason == BY_NAME

    @property
    def answers(self) -> list[str]:
        """The words that take the column all the same, or none if the table needs none."""
        may_be_none = is_optional(SCHEMAS[self.taken.table].columns()[self.name])
        said = [self.column, NONE] if may_be_none else [self.column]
        return [override(f"{self.taken.table}.{self.name}", word) for word in said]


def named_prices(taken: list[TakenFile], vocabulary: Vocabulary) -> list[NamedPrice]:
    """Return the columns of prices whose names say whether they include VAT."""
    read = [(file, name, file.readings[name].column) for file in taken for name in PRICES if name in file.readings]
    sides = [(file, name, column, vocabulary.vat_side(name, column)) for file, name, column in read if column]
    return [NamedPrice(file, name, column, side) for file, name, column, side in sides if side]


def said_of_vat(prices: list[NamedPrice]) -> str:
    """Return what the names say, such as `By their names, VK brutto of shop/sales.csv include VAT`; "" without any."""
    sides = ((GROSS, "include VAT"), (NET, "are without VAT"))
    said = [f"{columns} {verb}" for side, verb in sides if (columns := _on_side(prices, side))]
    return f"By their names, {', and '.join(said)}" if said else ""


def _on_side(prices: list[NamedPrice], side: str) -> str:
    """Return the columns on one side, with their files."""
    return " and ".join(f"{price.column} of {price.taken.found.path}" for price in prices if price.side == side)


def mixed_prices(prices: list[NamedPrice]) -> list[Question]:
    """Return the question on prices of which some include VAT and others do not, unless the user named all of them."""
    guessed = [price for price in prices if price.is_guessed]
    if not guessed or {price.side for price in prices} != {NET, GROSS}:
        return []
    text = f"which columns hold prices that all include VAT, or all do not? {said_of_vat(prices)}"
    return [Question(text, tuple(dict.fromkeys(answer for price in guessed for answer in price.answers)))]
