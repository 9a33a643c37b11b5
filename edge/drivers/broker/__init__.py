"""What the bridges have in common that speak through the gateway's own MQTT broker (zigbee2mqtt, ChirpStack)."""
