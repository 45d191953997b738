"""Witnesses as Python that shows them again, to the bit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from numerics import LABELLED, METHODS
from numerics.formats import ALL_FORMATS, BF16, FORMATS


@lru_cache(maxsize=2**16)  # a page shows most rows many times
def short_hex(text: str) -> str:
    """What `float.hex` gives, without trailing zeros.

    >>> [short_hex(x.hex()) for x in (1.0, -42.5, 0.0, 0.1, float("inf"))]
    ['0x1p+0', '-0x1.54p+5', '0x0p+0', '0x1.999999999999ap-4', 'inf']
    """
    return re.sub(r"(?:\.0*|(\.[0-9a-f]*[1-9a-f])0+)p", r"\1p", text)


def as_python(witness: Mapping[str, Any], case: str, format_name: str) -> str:
    """One line of Python that makes the row `x` of a witness, shape (1, K).

    A row that is not kept whole comes from its case, which needs a checkout.

    >>> print(as_python({"x": ["0x1.4000000000000p+4", "0x0.0p+0"]}, "any", "fp32"))
    x = np.array([[float.fromhex(h) for h in "0x1.4p+4 0x0p+0".split()]], "float32")
    >>> print(as_python({"x": None, "batch": 1, "row": 4}, "normal 5", "fp32"))
    x = bench.inputs.cases.named("normal 5").batches(numerics.FORMATS["fp32"])[1].x[4:5]
    """
    if witness["x"] is not None:
        row, dtype = " ".join(map(short_hex, witness["x"])), ALL_FORMATS[format_name].dtype_name
        return f'x = np.array([[float.fromhex(h) for h in "{row}".split()]], "{dtype}")'
    batch, row = witness["batch"], witness["row"]
    name = json.dumps(case, ensure_ascii=False)  # quotes that end where they have to
    formats = "FORMATS" if format_name in FORMATS else "ALL_FORMATS"
    batches = f'bench.inputs.cases.named({name}).batches(numerics.{formats}["{format_name}"])'
    return f"x = {batches}[{batch}].x[{row}:{row + 1}]"


@dataclass(frozen=True)
class Script:
    """What runs, and shows one output again, in parts that many witnesses share."""

    imports: str
    row: str
    call: str
    got: str
    exact: str

    def text(self) -> str:
        """The lines, what was found in comments.

        >>> of_row = {"x": ["0x0p+0"], "column": 0, "label": 0, "got": "0x1p+0", "exact": "0x1p+0"}
        >>> print(script(of_row, "stable", "softmax", "any", "fp32").text())
        import numpy as np
        import numerics
        x = np.array([[float.fromhex(h) for h in "0x0p+0".split()]], "float32")
        got = numerics.METHODS["stable"].softmax(x)[0, 0]
        print(float(got).hex())
        # got      0x1p+0
        # expected 0x1p+0
        """
        found = f"# got      {self.got}\n# expected {self.exact}"
        return "\n".join([self.imports, self.row, self.call, PRINTED, found])


PRINTED = "print(float(got).hex())"


def script(
    witness: Mapping[str, Any], subject: str, operation: str, case: str, format_name: str
) -> Script:
    """A witness as Python that calls one of our methods, or a peer, on its row.

    Any other subject is left for the reader to fill in: its name does not say where it is.
    """
    from bench.subjects.peers.libraries import PEERS

    imports = ["import numpy as np", "import numerics"]
    if format_name == BF16.name:
        imports.insert(1, "import ml_dtypes")
    row = as_python(witness, case, format_name)
    if witness["x"] is None:
        imports.append("import bench.inputs.cases  # in a checkout")
    labels = operation in LABELLED
    if labels:
        row += f"\ny = np.array([{witness['label']}])"
    function = "f"
    if subject in METHODS:
        function = f'numerics.METHODS["{subject}"].{operation}'
    elif subject in PEERS:
        imports.append("import bench.subjects.peers.libraries  # in a checkout")
        function = (
            f'bench.subjects.peers.libraries.load("{subject}").subject().functions["{operation}"]'
        )
    else:
        row += f"\nf = ...  # {operation} of {subject}"
    at = "0" if witness["column"] is None else f"0, {witness['column']}"
    call = f"got = {function}({'x, y' if labels else 'x'})[{at}]"
    got, exact = short_hex(witness["got"]), witness["exact"]
    return Script("\n".join(imports), row, call, got, exact)


# --- Of verdicts ---------------------------------------------------------------------------------


def pasted(
    witness: Any, operation: str, format_name: str, subject: str, origins: Mapping[str, str]
) -> str:
    """Python that shows the output of a verdict's witness again, with the subject's own name.

    A row that is short and was passed plainly stands there itself; any other is presented again as
    it was, which needs the harness.
    """
    name = origins.get(operation, subject)
    at = "" if witness.column is None else f", {witness.column}"
    found = f"# got {short_hex(witness.got)}, exact {witness.exact}"
    if witness.x is not None and witness.presentation == "plain":
        row = as_python({"x": witness.x}, witness.case, format_name)
        labels = f", np.array([{witness.label}])" if operation in LABELLED else ""
        lines = ["import numpy as np", "from bench.subjects import specs",
                 f"f = specs.function({json.dumps(name)}, {json.dumps(operation)})", row,
                 found, f"print(float(f(x{labels})[0{at}]).hex())"]  # fmt: skip
        return "\n".join(lines)
    given = ", ".join(map(json.dumps, (name, operation, format_name, witness.case)))
    way = json.dumps(witness.presentation)
    passed = f", presentation={way}" * (witness.presentation != "plain")
    call = f"outputs = shown({given}, batch={witness.batch}{passed})"
    printed = f"print(float(outputs[{witness.at}{at}]).hex())"
    return "\n".join(["from bench.measure.again import shown", found, call, printed])
