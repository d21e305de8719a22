"""What all models of the configuration are: frozen tables that know all of their keys."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A table of a configuration file: frozen, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True)
