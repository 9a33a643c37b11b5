"""The street's service: ingest, storage, alarms, dispatch, notification, interface and pages."""
