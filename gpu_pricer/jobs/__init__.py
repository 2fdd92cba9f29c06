"""The jobs: one module each, whose `main(config)` does the work and whose docstring is its --help."""

JOBS = {
    "inspect": "your own files -> what they hold, and the configuration to go on with",
    "prepare": "raw tables -> validated, canonical tables",
    "train": "canonical tables -> demand artefact",
    "score": "demand artefact + catalog + policy -> price table shards",
    "publish": "shards -> one atomic new version of the price table",
    "review": "a scored version -> a sheet of what people must decide on, and their decisions back",
    "explore": "a local page on which people decide: see, accept, reject, override, publish",
    "reprice": "events + the published version -> a new version, of the prices that they touch",
    "versions": "every version of the price table: when, by whom, what its gates found",
    "whatif": "another policy or catalog -> what the prices would be, for nobody to publish",
    "compare": "two versions or what-ifs -> what differs, by category or product, in a table or as a page",
    "outcome": "what published versions promised and what the log shows since: the ledger",
    "rollback": "an older version -> the price table again",
    "vacuum": "remove the files of old versions",
    "predict": "an offers table -> the probability that each offer is bought",
    "assign": "users -> the segments of the demand artefact",
    "explain": "one published price, derived",
    "evaluate": "held-out tests of the demand model and, on synthetic data, profit under the truth",
    "report": "one HTML page on a scored version, for the people who decide about it",
    "run": "prepare, train, score, evaluate, publish and report, in order",
}
