"""inspect: files of your own -> what they hold, and the configuration to go on with."""

import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from gpu_pricer.data.intake.inspection import columns_called, files_in, inspect_files, passed_over
from gpu_pricer.data.intake.keys import matched_keys
from gpu_pricer.data.intake.other_amounts import amounts_besides
from gpu_pricer.data.intake.price_families import PriceFamilies, price_families
from gpu_pricer.data.intake.vocabulary import Answers, Vocabulary, override
from gpu_pricer.data.intake.written import settings_path, settings_text, source_of
from gpu_pricer.data.raw.inputs import read_inputs
from gpu_pricer.data.raw.raw_tables import SCHEMAS
from gpu_pricer.data.raw.validation import Validation
from gpu_pricer.data.shelf.price_groups import group_names
from gpu_pricer.data.sources.source import Source
from gpu_pricer.data.spelled_values import spelled
from gpu_pricer.errors import InputError
from gpu_pricer.tables.files.replacing import replacing_file
from gpu_pricer.tables.periods import Period
from gpu_pricer.tables.vat import VAT_RATE, require_vat_rates
from gpu_pricer.terminal.inspection_lines import (
    FAMILY_SETTING,
    family_lines,
    file_lines,
    key_lines,
    passed_over_lines,
    question_lines,
    rule_lines,
    use_lines,
)

OPERANDS = ("inspect.files...",)
VOCABULARY = (
    *("vocabulary", "amount_words", "vat", "attributes", "tables", "label", "protected", "unread", "status_words"),
    *("competitor_files", "currency_columns"),
)
"""The settings that make a Vocabulary, in its order."""
COMMAND = "gpu-pricer inspect"
SAID = (
    *("currency", "currency_column", "cost_ratio", "price_includes_vat", "vat_rate", "time_format", "decimal"),
    *("null_words", "other_amounts"),
)
"""What the user may say of the files besides their tables and columns."""


def inputs(config: DictConfig) -> list[Path]:
    """Return the files that are inspected."""
    return files_in(config.inspect.files)


def main(config: DictConfig) -> dict[str, object] | None:
    """Say what files of your own hold, and write the configuration by which every job reads them.

    The words after `inspect` are CSV files (with a header line, in UTF-8), Parquet files, Delta tables, or folders of
    them. For each it prints the table of the input contract that it is taken for, what each column is taken for and
    why, how numbers and days are written, and what is not read; then which ids match between the tables, and which
    rows break a rule. Ids stay text.

    What it cannot tell it asks: it prints the words that answer, writes nothing and ends with status 2. Once nothing is
    open and a run would accept the files, it writes inspect.folder/data/<name>.yaml and prints how to go on.

    Example: gpu-pricer inspect shop
             gpu-pricer inspect sales.csv catalog.csv inspect.currency=EUR inspect.transactions.price=Preis
    """
    settings = config.inspect
    _name(settings)
    words = cast(dict[str, Any], OmegaConf.to_container(settings, resolve=True))
    vocabulary = Vocabulary(*(words[part] for part in VOCABULARY))
    answers = _answers(words)
    for line in passed_over_lines(passed_over(settings.files)):
        print(line)
    found = inspect_files(files_in(settings.files), vocabulary, answers)
    instruments, discounts = config.train.response.endogeneity.instruments or [], words["discount_columns"]
    for line in (line for taken in found.files for line in file_lines(taken, instruments, discounts)):
        print(line)
    command = shlex.join([*COMMAND.split(), *settings.files, *_said(words), *_of_rows()])
    if found.questions:
        print(*question_lines(found.questions, command), sep="\n")
        count = len(found.questions)
        raise InputError(
            f"every question above must be answered, found {count} open: run `{command}` again with one of the words "
            "shown below each, or with your own value in it"
        )
    label = columns_called(found, "products", vocabulary.label)
    protected = columns_called(found, "users", vocabulary.protected)
    written = {"source": source_of(found.files), "currency": found.currency, "label": label, "protected": protected}
    told = {name: getattr(answers, name) for name in ("cost_ratio", "price_includes_vat", "vat_rate")}
    if catalog := {name: value for name, value in told.items() if value is not None}:
        written["catalog"] = catalog
    written |= _judgement()
    print("", *use_lines(label, protected), sep="\n")
    families = _check(written, amounts_besides(found.files, answers))
    return _write(settings, written, command, families)


def _name(settings: DictConfig) -> str:
    """Return the name of the configuration to write; raise InputError for one that conf/data has."""
    first = files_in(settings.files)[0].resolve()
    name = settings.name or re.sub(r"\W", "_", first.parent.name)
    if name in GlobalHydra.instance().config_loader().get_group_options("data"):
        raise InputError(f"inspect.name must be new, found {name!r}, which conf/data has: set inspect.name=own")
    return str(name)


def _answers(words: dict[str, Any]) -> Answers:
    told = {name: words[name] for name in SAID}
    status, left_out = words["status"]["column"], words["status"]["left_out"]
    cells = [str(cell) for cell in left_out] if isinstance(left_out, list) else left_out
    columns = {table: words[table] for table in SCHEMAS}
    return Answers(**told, columns=columns, status_column=status, left_out=cells)


def _said(words: dict[str, Any]) -> list[str]:
    """Return the words of a command line that repeat what the user has said."""
    plain = {name: words[name] for name in ("folder", "name", *SAID)}
    told = plain | {f"{table}.{name}": said for table in (*SCHEMAS, "status") for name, said in words[table].items()}
    usual = {"folder": "own", "null_words": [], "other_amounts": []}
    return [override(name, said) for name, said in told.items() if said is not None and said != usual.get(name)]


def _of_rows() -> list[str]:
    """Return the words of the command line that say how rows are judged."""
    names = [f"data.{field.name}" for field in fields(Validation)]
    return [word for word in HydraConfig.get().overrides.task if word.lstrip("+~").startswith((*names,))]


def _judgement() -> dict[str, Any]:
    """Return how the user wants rows to be judged, as far as it is not the usual way."""
    usual, said = (compose("config", ["data=files", *words]).data for words in ([], _of_rows()))
    told = {field.name: said[field.name] for field in fields(Validation) if said[field.name] != usual[field.name]}
    return cast(dict[str, Any], OmegaConf.to_container(OmegaConf.create(told)))


def _check(written: dict[str, Any], amounts: set[str]) -> PriceFamilies | None:
    """Print which ids match and which rules rows break, and return the products that have one price.

    amounts: columns of products that hold prices or costs besides those of the contract. Raise InputError if a run
    would refuse the files.
    """
    data = compose("config", ["data=files", *_of_rows()]).data
    told = {"time_zone": data.time_zone, "currency": written["currency"]}
    source: Source = instantiate(written["source"] | told, _convert_="all")
    for key in matched_keys(source.tables()):
        print(*key_lines(key), sep="\n")
    rules = {field.name: data[field.name] for field in fields(Validation)}
    validation = Validation.of(instantiate(OmegaConf.create(rules), _convert_="all"))
    period = Period(data.occasion_period)
    checked = read_inputs(source, validation, period, None)
    catalog = written.get("catalog") or {}
    group_names(checked.sales, checked.tables.get("group_prices"))
    checked.require_rates(catalog.get("price_includes_vat"), catalog.get("vat_rate"))
    if catalog.get("price_includes_vat"):
        rates = checked.tables["products"].select("product_id", VAT_RATE).drop_nulls(VAT_RATE)
        require_vat_rates(rates, "products", "")
    families = price_families(checked.tables["products"], checked.sales, period, amounts)
    print(*rule_lines(checked, period), *family_lines(families), sep="\n")
    return families


def _write(
    settings: DictConfig, written: dict[str, Any], command: str, families: PriceFamilies | None
) -> dict[str, object]:
    """Write the configuration, print how to go on, and return where it lies; families: with one price each."""
    name = _name(settings)
    path, text = settings_path(Path(settings.folder), name), settings_text(command, written)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_text() != text:
        kept = path.with_suffix(".yaml.before")
        path.replace(kept)
        print(f"\nThe earlier configuration is now {kept}")
    with replacing_file(path) as fresh:
        fresh.write_text(text)
    print(f"\nWrote {path}. Go on with:")
    run = ["gpu-pricer", "run", "--config-dir", settings.folder, f"data={name}"]
    print(f"  {shlex.join(run)}")
    if families is not None:
        print(f"or, with one price for all products of each {families.column}:")
        print(f"  {shlex.join([*run, f'{FAMILY_SETTING}={spelled(families.column)}'])}")
    return {"written": str(path)}
