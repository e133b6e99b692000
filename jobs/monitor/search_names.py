"""Names to search for: of tasks, queues and workers."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Names:
    """Names with commas, each with `*` and `?` for what is not known of it; '' is any."""

    typed: str = ""

    @property
    def each(self) -> list[str]:
        return self.typed.split(",") if self.typed else []

    def fit(self, name: str) -> bool:
        return not self.typed or any(fnmatchcase(name, one.replace("[", "[[]")) for one in self.each)

    @property
    def exact(self) -> list[str]:
        """These names, if each is known as a whole."""
        return [] if re.search("[*?]", self.typed) else self.each

    @property
    def first_look(self) -> list[str]:
        """For find.lua: texts, one of which is in each name that fits."""
        return [max(re.split(r"[*?]", one), key=len) for one in self.each]


ANY = Names()
