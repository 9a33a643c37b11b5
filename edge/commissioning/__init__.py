"""From a device to a place: who hangs where, whether it was tested, and the sheet that is handed over."""
