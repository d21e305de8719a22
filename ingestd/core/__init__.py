"""What decides: pure functions from values to values. No disk, no clock, no SQL, no network, no log."""
