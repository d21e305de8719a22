"""Where actions go. A feed names a sink by `kind`; the entry points `ingestd.sinks.v1` say which there are."""
