"""Doors: cards (`wiegand`), who may pass (`cardholders`), what a door does (`door`). Pure: no reader, file or clock."""
