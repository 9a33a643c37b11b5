-- The estate's places go to its gateways, for whoever says there where a device hangs (docs/decisions/0024).
ALTER TABLE delivered_set DROP CONSTRAINT delivered_set_kind_check,
    ADD CONSTRAINT delivered_set_kind_check CHECK (kind IN ('cardholders', 'rules', 'places'));

-- Gateways that have said that they take places get them anew when a place below their estate changes.
CREATE FUNCTION places_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO due (kind, ref, due_at)
    SELECT DISTINCT 'set.build', gateway.id || '/places', now() FROM changed
    JOIN place AS estate ON estate.kind = 'estate' AND starts_with(changed.path, estate.path || '/')
    JOIN gateway ON gateway.group_code = estate.code
    JOIN reported_set ON reported_set.gateway_id = gateway.id AND reported_set.kind = 'places'
    ORDER BY 2
    ON CONFLICT (kind, ref) DO UPDATE SET due_at = least(due.due_at, excluded.due_at);
    IF FOUND THEN
        NOTIFY due;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER places_added AFTER INSERT ON place REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION places_changed();
CREATE TRIGGER places_changed AFTER UPDATE ON place REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION places_changed();
CREATE TRIGGER places_gone AFTER DELETE ON place REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION places_changed();
