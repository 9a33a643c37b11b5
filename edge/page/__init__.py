"""The gateway's own page: what `liandong edge doctor` tells, for a phone beside the gateway. Read-only."""
