-- name: waiting
-- Blocks of one lane and epoch that are not acknowledged, from the one that holds :start on.
SELECT id, last, dropped, body FROM block
WHERE id >= coalesce((SELECT max(id) FROM block WHERE id <= :start AND id >= :lowest), :start) AND id <= :end
AND acknowledged = 0 AND last >= :number ORDER BY id LIMIT :limit

-- name: give
-- The next numbers of a lane, taken: the first of them.
UPDATE lane SET next = next + :count WHERE epoch = :epoch AND lane = :lane RETURNING next - :count

-- name: put
INSERT INTO block (id, last, messages, size, body) VALUES (:id, :last, :messages, :size, :body)

-- name: confirm
-- The blocks that lie wholly in a range of numbers that the cloud has.
UPDATE block SET acknowledged = 1 WHERE acknowledged = 0 AND id >= :low AND id <= :high AND last <= :last
RETURNING messages, size, first, last

-- name: requeue
-- The blocks with any number of a range that the cloud lacks (any more).
UPDATE block SET acknowledged = 0
WHERE id >= coalesce((SELECT max(id) FROM block WHERE id <= :low AND id >= :lowest), :low) AND id <= :high
AND acknowledged = 1 AND last >= :first
RETURNING messages, size, first, last

-- name: holding
-- The block that holds a number.
SELECT id, last, acknowledged, messages, size, dropped FROM block
WHERE id <= :id AND id >= :lowest AND last >= :number ORDER BY id DESC LIMIT 1

-- name: drop_part
UPDATE block SET dropped = :dropped WHERE id = :id

-- name: delete
DELETE FROM block WHERE id = :id

-- name: contents
SELECT id, last, acknowledged, messages, size, dropped FROM block ORDER BY id

-- name: candidates
-- Blocks from a key on, for deletion.
SELECT id, last, messages, size, dropped FROM block
WHERE id >= :low AND id <= :high AND acknowledged = :acknowledged ORDER BY id LIMIT :limit

-- name: bodies
-- Blocks from a key on with what they hold, for merging or thinning.
SELECT id, last, messages, size, dropped, body FROM block
WHERE id >= :low AND id <= :high AND acknowledged = 0 ORDER BY id LIMIT :limit

-- name: ends
-- The first or last body of a lane and epoch.
SELECT body FROM block WHERE id IN (
    (SELECT min(id) FROM block WHERE id >= :low AND id <= :high),
    (SELECT max(id) FROM block WHERE id >= :low AND id <= :high)
)

-- name: lanes
SELECT l.epoch, e.uuid, l.lane, l.next, l.unknown, e.boot FROM lane l JOIN epoch e ON e.id = l.epoch
ORDER BY l.epoch, l.lane

-- name: boots
SELECT id, uuid, offset_ms, estimated FROM boot ORDER BY id

-- name: this_boot
INSERT INTO boot (uuid) VALUES (:uuid) ON CONFLICT (uuid) DO UPDATE SET uuid = excluded.uuid RETURNING id

-- name: set_offset
UPDATE boot SET offset_ms = :offset, estimated = :estimated WHERE id = :boot AND offset_ms IS NULL RETURNING id

-- name: note_unknown
UPDATE lane SET unknown = :number WHERE epoch = :epoch AND lane = :lane

-- name: open_epoch
INSERT INTO epoch (uuid, opened_ms, boot) VALUES (:uuid, :opened, :boot) RETURNING id

-- name: remember_epoch
-- Of a file that was set aside.
INSERT INTO epoch (uuid, opened_ms, boot) VALUES (:uuid, :opened, :boot) ON CONFLICT (uuid) DO NOTHING

-- name: remember_lane
INSERT INTO lane (epoch, lane, next) SELECT id, :lane, :next FROM epoch WHERE uuid = :uuid
ON CONFLICT (epoch, lane) DO UPDATE SET next = max(next, excluded.next)

-- name: settle_lane
-- The cloud knows what was given in a lane of which nothing is held.
DELETE FROM lane WHERE epoch = :epoch AND lane = :lane

-- name: tidy_epoch
DELETE FROM epoch WHERE id = :epoch

-- name: tidy_boots
DELETE FROM boot WHERE id NOT IN (SELECT boot FROM epoch)

-- name: put_loss
INSERT INTO loss (epoch, lane, first, last, count, reason)
VALUES (:epoch, :lane, :first, :last, :count, :reason) RETURNING id

-- name: extend_loss
UPDATE loss SET last = :last, count = :count WHERE id = :id

-- name: told_loss
DELETE FROM loss WHERE id = :id

-- name: losses
SELECT id, epoch, lane, first, last, count, reason FROM loss ORDER BY id

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
