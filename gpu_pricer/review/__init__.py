"""How people decide on proposed prices: the sheet that says what needs a decision, and the page on which they decide.

`desk` knows what was decided and records it; `consequences` says what a price leads to, `guardrails` which prices may
be set; `sheet` and `sheet_file` are for those who work in a table, `page` for those who work in a browser.
"""
