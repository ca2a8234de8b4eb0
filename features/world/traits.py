"""What nobody sees of a project, and where it starts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.world.dice import Dice, Floats, Ints

SECTORS = (
    "semiconductors",
    "biotech",
    "medical_devices",
    "software",
    "artificial_intelligence",
    "robotics",
    "new_materials",
    "clean_energy",
    "aerospace",
    "advanced_manufacturing",
    "agritech",
    "communications",
)
REGIONS = ("north", "northeast", "east", "central", "south", "southwest", "northwest")
REGION_WEIGHTS = (0.18, 0.05, 0.32, 0.12, 0.18, 0.09, 0.06)


@dataclass(frozen=True)
class Traits:
    """What nobody sees: standard normal numbers, one array a trait, (projects,) each."""

    quality: Floats
    technology: Floats
    team: Floats
    money: Floats
    size: Floats

    @classmethod
    def draw(cls, dice: Dice) -> Traits:
        """Draw the traits, independent of one another."""
        return cls(*(dice.normal(f"trait {name}") for name in cls.__dataclass_fields__))


@dataclass(frozen=True)
class Origins:
    """When and where a project starts: month of origination, sector, region, age of the firm."""

    month: Ints
    sector: Ints
    region: Ints
    firm_age_months: Floats

    @classmethod
    def draw(cls, dice: Dice, traits: Traits, *, first_month: int, months: int) -> Origins:
        """Draw the origins; loans are spread evenly over `months` months from `first_month`."""
        even = tuple([1.0 / len(SECTORS)] * len(SECTORS))
        age = np.exp(3.45 + 0.25 * traits.size + 0.55 * dice.normal("firm age"))
        return cls(
            month=first_month + (dice.uniform("month") * months).astype(np.int64),
            sector=dice.choice("sector", even),
            region=dice.choice("region", REGION_WEIGHTS),
            firm_age_months=np.clip(np.round(age), 1, 240),
        )
