-- What PostgreSQL refuses by itself.

CREATE FUNCTION refuse_change() RETURNS trigger AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are only added', TG_TABLE_NAME;
END
$$ LANGUAGE plpgsql;

CREATE TRIGGER entry_is_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER transfer_is_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON transfer
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER loan_event_is_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON loan_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER leg_event_is_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON leg_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER adjustment_is_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON adjustment
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER idempotency_is_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON idempotency
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER audit_is_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER seal_is_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON seal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER state_step_is_fixed BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON state_step
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION check_loan_step() RETURNS trigger AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'draft' THEN
            RAISE EXCEPTION 'a loan begins as draft';
        END IF;
    ELSIF NEW.state IS DISTINCT FROM OLD.state AND NOT EXISTS (
        SELECT 1 FROM state_step WHERE machine = 'loan' AND from_state = OLD.state AND to_state = NEW.state
    ) THEN
        RAISE EXCEPTION 'no such step of a loan: from % to %', OLD.state, NEW.state;
    END IF;
    RETURN NEW;
END
$$ LANGUAGE plpgsql;

CREATE TRIGGER loan_steps BEFORE INSERT OR UPDATE ON loan
    FOR EACH ROW EXECUTE FUNCTION check_loan_step();

CREATE TRIGGER loan_stays BEFORE DELETE OR TRUNCATE ON loan
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION check_leg_step() RETURNS trigger AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'created' THEN
            RAISE EXCEPTION 'a payment leg begins as created';
        END IF;
    ELSIF NEW.state IS DISTINCT FROM OLD.state AND NOT EXISTS (
        SELECT 1 FROM state_step WHERE machine = 'payment leg' AND from_state = OLD.state AND to_state = NEW.state
    ) THEN
        RAISE EXCEPTION 'no such step of a payment leg: from % to %', OLD.state, NEW.state;
    END IF;
    RETURN NEW;
END
$$ LANGUAGE plpgsql;

CREATE TRIGGER leg_steps BEFORE INSERT OR UPDATE ON leg
    FOR EACH ROW EXECUTE FUNCTION check_leg_step();

CREATE TRIGGER leg_stays BEFORE DELETE OR TRUNCATE ON leg
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- An entry follows the one before it.
CREATE FUNCTION check_entry_chain() RETURNS trigger AS $$
BEGIN
    IF NEW.seq <> 1 + (SELECT COALESCE(MAX(seq), 0) FROM entry)
        OR (NEW.seq > 1 AND NEW.previous IS DISTINCT FROM (SELECT hash FROM entry WHERE seq = NEW.seq - 1)) THEN
        RAISE EXCEPTION 'an entry follows the one before it';
    END IF;
    RETURN NEW;
END
$$ LANGUAGE plpgsql;

CREATE TRIGGER entry_is_chained BEFORE INSERT ON entry
    FOR EACH ROW EXECUTE FUNCTION check_entry_chain();
