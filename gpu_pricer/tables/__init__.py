"""Tables: their schemas, and how they are read, checked, written and published.

Everything that jobs exchange through files is here: input tables, canonical tables, the demand artefact, the price
table. This package knows nothing of models or policies.
"""

from gpu_pricer.tables.schema_library import import_dataframely

import_dataframely()
