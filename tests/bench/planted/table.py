"""Every planted defect, kind by kind."""

from __future__ import annotations

from tests.bench.planted.contracts import CONTRACTS
from tests.bench.planted.fatal import FATAL
from tests.bench.planted.layouts import LAYOUTS
from tests.bench.planted.planting import Planted
from tests.bench.planted.slow import SLOW
from tests.bench.planted.special import SPECIAL
from tests.bench.planted.values import VALUES

PLANTED: tuple[Planted, ...] = (*VALUES, *LAYOUTS, *SPECIAL, *CONTRACTS, *SLOW, *FATAL)
