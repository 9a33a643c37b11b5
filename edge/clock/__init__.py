"""The gateway's time: what the system clock says, whether it is believed, and when what was observed happened."""
