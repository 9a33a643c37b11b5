-- name: queued
-- What has not been acknowledged, in the order of sending, from a position on.
SELECT b.epoch, e.uuid, b.lane, b.first, b.last, b.device, b.size, b.body
FROM block b JOIN epoch e ON e.id = b.epoch
WHERE b.acknowledged = 0 AND b.lane = :lane AND (b.epoch, b.first) > (:epoch, :first)
ORDER BY b.epoch, b.first LIMIT :limit

-- name: give
-- The next number of a lane, taken.
UPDATE lane SET next = next + 1 WHERE epoch = :epoch AND lane = :lane RETURNING next - 1

-- name: append
INSERT INTO block (epoch, lane, first, last, device, size, body)
VALUES (:epoch, :lane, :number, :number, :device, :size, :body)

-- name: confirm
-- A range of numbers that the cloud has.
UPDATE block SET acknowledged = 1
WHERE acknowledged = 0 AND lane = :lane AND epoch = :epoch AND first >= :low AND last <= :high RETURNING size

-- name: requeue
-- A range of numbers that the cloud lacks (any more).
UPDATE block SET acknowledged = 0
WHERE acknowledged = 1 AND lane = :lane AND epoch = :epoch AND first <= :high AND last >= :low RETURNING size

-- name: totals
SELECT acknowledged, lane, count(*), sum(size) FROM block GROUP BY acknowledged, lane

-- name: oldest
-- Candidates for deletion of one lane and state, the oldest first.
SELECT b.id, e.uuid, b.lane, b.first, b.last, b.size FROM block b JOIN epoch e ON e.id = b.epoch
WHERE b.acknowledged = :acknowledged AND b.lane = :lane ORDER BY b.epoch, b.first LIMIT :limit

-- name: held
-- Everything that the file holds, acknowledged or not, for a birth.
SELECT epoch, lane, first, last FROM block

-- name: lanes
SELECT l.epoch, e.uuid, l.lane, l.next FROM lane l JOIN epoch e ON e.id = l.epoch ORDER BY l.epoch, l.lane

-- name: tidy
-- Older epochs of which nothing is held any more.
DELETE FROM epoch WHERE id <> :current AND NOT EXISTS (SELECT 1 FROM block WHERE block.epoch = epoch.id)

-- name: waiting_of_device
SELECT count(*) FROM block WHERE acknowledged = 0 AND device = :device

-- name: put_driver_state
INSERT INTO driver_state (driver, state) VALUES (:driver, :state)
ON CONFLICT (driver) DO UPDATE SET state = excluded.state

-- name: put_rule_state
INSERT INTO rule_state (rule, device, phase, since_ms, at_ms, reason, owed)
VALUES (:rule, :device, :phase, :since_ms, :at_ms, :reason, :owed)
ON CONFLICT (rule, device) DO UPDATE SET phase = excluded.phase, since_ms = excluded.since_ms,
    at_ms = excluded.at_ms, reason = excluded.reason, owed = excluded.owed

-- name: driver_state
SELECT state FROM driver_state WHERE driver = :driver

-- name: rule_records
SELECT rule, device, phase, since_ms, at_ms, reason, owed FROM rule_state

-- name: head
SELECT next FROM lane WHERE epoch = :epoch AND lane = :lane
