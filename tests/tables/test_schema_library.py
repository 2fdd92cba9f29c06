"""What importing the tables leaves out, in a process of its own."""

import subprocess
import sys


def test_dataframely_comes_without_sqlalchemy_which_others_can_import():
    lines = [
        "import sys",
        "import gpu_pricer.tables.schemas as schemas",
        "assert not any(name.startswith('sqlalchemy') for name in sys.modules), 'imported'",
        "assert 'product_id' in schemas.Products.column_names()",
        "import sqlalchemy",
        "assert sqlalchemy.select is not None",
    ]

    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)
