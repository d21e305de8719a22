"""Where drops come from. `base` is the contract, the other modules are sources that keep it."""
