"""The settings of the page on which people decide."""

from dataclasses import dataclass

from gpu_pricer.checks import require_integer


@dataclass(frozen=True)
class ExploreSettings:
    """Where the page is served. host: an address of this machine. port: 0 for a free one. rows: products at once."""

    host: str
    port: int
    rows: int

    def __post_init__(self) -> None:
        if not (isinstance(self.host, str) and self.host):
            raise ValueError(f"explore.host must be an address of this machine, found {self.host!r}")
        require_integer("explore.port", self.port, 0)
        if self.port > 65_535:
            raise ValueError(f"explore.port must be at most 65535, found {self.port}")
        require_integer("explore.rows", self.rows, 1)
