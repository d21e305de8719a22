"""The settings of somebody's SFTP server: where it is, who we are there, by what it is known; what is pushed there."""

from datetime import timedelta

from pydantic import Field, model_validator

from ingestd.config.base import Settings
from ingestd.config.places import StatePath
from ingestd.config.values import Count, FileName, Fingerprint, PositiveDuration, Secret, Size


class SftpAccount(Settings):
    """An account on someone's SFTP server."""

    host: str = Field(description="the server")
    port: Count = Field(22, ge=1, le=65535, description="its port")
    user: str = Field(description="the account")
    key: Secret | None = Field(None, description="the account's private key; this or `password`")
    password: Secret | None = Field(None, description="the account's password; this or `key`")
    known_hosts: StatePath | None = Field(
        None, description="a file with the server's public keys, as OpenSSH keeps it; relative to `state_dir`"
    )
    host_key: tuple[Fingerprint, ...] = Field((), description="fingerprints of the server's public keys, any of which")
    path: str = Field(description="the folder on the server")
    connect_timeout: PositiveDuration = Field(
        timedelta(seconds=15), description="how long each step of a login may take"
    )
    stall_timeout: PositiveDuration = Field(timedelta(seconds=30), description="how long the server may be silent")
    least_speed: Size = Field(4 << 10, description="bytes a second below which the server is given up until later")

    @model_validator(mode="after")
    def _is_proved(self) -> "SftpAccount":
        if (self.key is None) == (self.password is None):
            raise ValueError("needs either a key or a password, and not both")
        if not self.host_key and self.known_hosts is None:
            raise ValueError("needs known_hosts or host_key: a server is never trusted at first sight")
        return self


class Push(SftpAccount):
    """`[[sinks.push]]`."""

    name: FileName | None = Field(None, description="what the zip is called there; unset: as it is called here")
