"""What the images of a split are, in a few values: two splits with equal fingerprints train alike. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """Classes in the order of their labels, the number of images of each, and a digest of all pixels and labels."""

    class_names: Sequence[str]
    num_images: Sequence[int]
    digest: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, of which `Fingerprint(**values)` makes an equal one."""
        return asdict(self)

    def change_since(self, earlier: "Fingerprint") -> str | None:
        """Return what differs from an earlier fingerprint, in words; None if nothing does."""
        now, was = (dict(zip(each.class_names, each.num_images, strict=True)) for each in (self, earlier))
        if now.keys() != was.keys():
            parts = {"new": [*(now.keys() - was.keys())], "gone": [*(was.keys() - now.keys())]}
            return "; ".join(f"{_listed(sorted(names))} {word}" for word, names in parts.items() if names)
        if list(self.class_names) != list(earlier.class_names):
            return f"the classes are in another order: {', '.join(self.class_names)}"
        if resized := [name for name in now if now[name] != was[name]]:
            first, more = resized[0], f", and {len(resized) - 1} more classes changed" if len(resized) > 1 else ""
            return f"class {first!r} has {now[first]:,} images, and had {was[first]:,}{more}"
        return (
            None
            if self.digest == earlier.digest
            else "some have other pixels or labels; their classes and numbers are equal"
        )


def change_of_images(now: Mapping[str, Fingerprint], was: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return what differs from the kept fingerprints, by split; a split of which none was kept is not compared."""
    for split, kept in was.items():
        if split in now and (change := now[split].change_since(Fingerprint(**kept))):
            return f"the {split} images: {change}"
    return None


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
    return f"class {shown} is" if len(names) == 1 else f"classes {shown} are"
