-- From version 1: a row per message, whose body stays as it is (form 1) and is sent under the number that it has.
ALTER TABLE block RENAME TO block_1;
ALTER TABLE lane RENAME TO lane_1;
ALTER TABLE epoch RENAME TO epoch_1;
ALTER TABLE driver_state RENAME TO driver_state_1;
ALTER TABLE rule_state RENAME TO rule_state_1;
-- schema
INSERT INTO boot (id) VALUES (1);
INSERT INTO epoch (id, uuid, opened_ms, boot) SELECT id, uuid, opened_ms, 1 FROM epoch_1;
INSERT INTO lane (epoch, lane, next) SELECT epoch, lane, next FROM lane_1;
INSERT INTO block (id, last, acknowledged, messages, size, body)
SELECT (lane << 62) | (epoch << 38) | first, last, acknowledged, 1, size, body FROM block_1 ORDER BY lane, epoch, first;
INSERT INTO driver_state SELECT driver, state FROM driver_state_1;
INSERT INTO rule_state (rule, device, phase, since_ms, at_ms, reason, owed)
SELECT rule, device, phase, since_ms, at_ms, reason, owed FROM rule_state_1;
DROP TABLE block_1;
DROP TABLE lane_1;
DROP TABLE epoch_1;
DROP TABLE driver_state_1;
DROP TABLE rule_state_1;
