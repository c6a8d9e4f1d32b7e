"""States of the random number generators, for a resumed run to go on exactly, and for what must leave no trace."""

import random
from typing import Any

import numpy as np
import torch

__all__ = ["random_states", "restore_random_states", "seed_everything"]


def seed_everything(seed: int) -> None:
    """Seed all random number generators that code in a run may draw from."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (libraries draw from it)
    torch.manual_seed(seed)


def random_states() -> dict[str, Any]:
    """States of all random number generators that code in a run may draw from."""
    kind, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002  (libraries draw from it)
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": random.getstate(),
        "numpy": [kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), position, has_gauss, gauss],
    }


def restore_random_states(states: dict[str, Any]) -> None:
    """Set all random number generators."""
    torch.set_rng_state(states["torch"])
    if torch.cuda.is_available() and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
    random.setstate(states["python"])
    kind, keys, position, has_gauss, gauss = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss))  # noqa: NPY002
