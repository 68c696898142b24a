-- What SQLite refuses by itself.

CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'rows of entry are only added'); END;

CREATE TRIGGER entry_no_delete BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'rows of entry are only added'); END;

CREATE TRIGGER transfer_no_update BEFORE UPDATE ON transfer
BEGIN SELECT RAISE(ABORT, 'rows of transfer are only added'); END;

CREATE TRIGGER transfer_no_delete BEFORE DELETE ON transfer
BEGIN SELECT RAISE(ABORT, 'rows of transfer are only added'); END;

CREATE TRIGGER loan_event_no_update BEFORE UPDATE ON loan_event
BEGIN SELECT RAISE(ABORT, 'rows of loan_event are only added'); END;

CREATE TRIGGER loan_event_no_delete BEFORE DELETE ON loan_event
BEGIN SELECT RAISE(ABORT, 'rows of loan_event are only added'); END;

CREATE TRIGGER leg_event_no_update BEFORE UPDATE ON leg_event
BEGIN SELECT RAISE(ABORT, 'rows of leg_event are only added'); END;

CREATE TRIGGER leg_event_no_delete BEFORE DELETE ON leg_event
BEGIN SELECT RAISE(ABORT, 'rows of leg_event are only added'); END;

CREATE TRIGGER adjustment_no_update BEFORE UPDATE ON adjustment
BEGIN SELECT RAISE(ABORT, 'rows of adjustment are only added'); END;

CREATE TRIGGER adjustment_no_delete BEFORE DELETE ON adjustment
BEGIN SELECT RAISE(ABORT, 'rows of adjustment are only added'); END;

CREATE TRIGGER idempotency_no_update BEFORE UPDATE ON idempotency
BEGIN SELECT RAISE(ABORT, 'rows of idempotency are only added'); END;

CREATE TRIGGER idempotency_no_delete BEFORE DELETE ON idempotency
BEGIN SELECT RAISE(ABORT, 'rows of idempotency are only added'); END;

CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'rows of audit are only added'); END;

CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'rows of audit are only added'); END;

CREATE TRIGGER seal_no_update BEFORE UPDATE ON seal
BEGIN SELECT RAISE(ABORT, 'rows of seal are only added'); END;

CREATE TRIGGER seal_no_delete BEFORE DELETE ON seal
BEGIN SELECT RAISE(ABORT, 'rows of seal are only added'); END;

CREATE TRIGGER state_step_no_insert BEFORE INSERT ON state_step
BEGIN SELECT RAISE(ABORT, 'the tables of states are fixed'); END;

CREATE TRIGGER state_step_no_update BEFORE UPDATE ON state_step
BEGIN SELECT RAISE(ABORT, 'rows of state_step are only added'); END;

CREATE TRIGGER state_step_no_delete BEFORE DELETE ON state_step
BEGIN SELECT RAISE(ABORT, 'rows of state_step are only added'); END;

CREATE TRIGGER loan_begins BEFORE INSERT ON loan WHEN NEW.state <> 'draft'
BEGIN SELECT RAISE(ABORT, 'a loan begins as draft'); END;

CREATE TRIGGER loan_steps BEFORE UPDATE OF state ON loan
WHEN NOT EXISTS (SELECT 1 FROM state_step WHERE machine = 'loan' AND from_state = OLD.state AND to_state = NEW.state)
BEGIN SELECT RAISE(ABORT, 'no such step of a loan'); END;

CREATE TRIGGER loan_stays BEFORE DELETE ON loan
BEGIN SELECT RAISE(ABORT, 'a loan is never deleted'); END;

CREATE TRIGGER leg_begins BEFORE INSERT ON leg WHEN NEW.state <> 'created'
BEGIN SELECT RAISE(ABORT, 'a payment leg begins as created'); END;

CREATE TRIGGER leg_steps BEFORE UPDATE OF state ON leg
WHEN NOT EXISTS (SELECT 1 FROM state_step WHERE machine = 'payment leg' AND from_state = OLD.state AND to_state = NEW.state)
BEGIN SELECT RAISE(ABORT, 'no such step of a payment leg'); END;

CREATE TRIGGER leg_stays BEFORE DELETE ON leg
BEGIN SELECT RAISE(ABORT, 'a payment leg is never deleted'); END;

-- An entry follows the one before it.
CREATE TRIGGER entry_is_chained BEFORE INSERT ON entry
WHEN NEW.seq <> 1 + (SELECT COALESCE(MAX(seq), 0) FROM entry)
    OR (NEW.seq > 1 AND NEW.previous IS NOT (SELECT hash FROM entry WHERE seq = NEW.seq - 1))
BEGIN SELECT RAISE(ABORT, 'an entry follows the one before it'); END;
