-- A door that is placed while the set is being made waits for that set: the timer of a set at hand is not another one's.
CREATE OR REPLACE FUNCTION door_placed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.type = 'door' AND EXISTS (SELECT FROM cardholder) THEN
        INSERT INTO due (kind, ref, due_at) VALUES ('set.build', NEW.gateway_id || '/cardholders', now())
        ON CONFLICT (kind, ref) DO UPDATE SET due_at = least(due.due_at, excluded.due_at);
        NOTIFY due;
    END IF;
    RETURN NULL;
END $$;
