-- The tables, in the part of SQL that SQLite and PostgreSQL share. Times are milliseconds since 1970, dates are text, amounts minor units,
-- hashes and sealed data hexadecimal.

CREATE TABLE person (
    id TEXT PRIMARY KEY,
    country TEXT NOT NULL,
    language TEXT NOT NULL,
    wrapped_key TEXT,
    consented_at BIGINT,
    created_at BIGINT NOT NULL,
    erased_at BIGINT,
    CHECK ((wrapped_key IS NULL) = (erased_at IS NOT NULL))
);

CREATE TABLE person_field (
    person TEXT NOT NULL REFERENCES person (id),
    field TEXT NOT NULL,
    sealed TEXT NOT NULL,
    PRIMARY KEY (person, field)
);

-- Finds a person by a keyed hash, never by the value.
CREATE TABLE person_index (
    kind TEXT NOT NULL,
    blind TEXT NOT NULL,
    person TEXT NOT NULL REFERENCES person (id),
    PRIMARY KEY (kind, blind)
);

-- The hash of a PIN, and the tries since it was last right: a try is counted before it is checked.
CREATE TABLE pin (
    person TEXT PRIMARY KEY REFERENCES person (id),
    hash TEXT NOT NULL,
    tries BIGINT NOT NULL DEFAULT 0,
    locks BIGINT NOT NULL DEFAULT 0,
    locked_until BIGINT,
    set_at BIGINT NOT NULL
);

-- The tables of states, filled from the program; the triggers look here.
CREATE TABLE state_step (
    machine TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state TEXT NOT NULL,
    PRIMARY KEY (machine, from_state, to_state)
);

CREATE TABLE loan (
    id TEXT PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    person TEXT NOT NULL REFERENCES person (id),
    country TEXT NOT NULL,
    currency TEXT NOT NULL,
    product TEXT NOT NULL,
    principal BIGINT NOT NULL CHECK (principal > 0),
    instalments BIGINT NOT NULL CHECK (instalments > 0),
    purpose TEXT NOT NULL,
    state TEXT NOT NULL,
    terms TEXT,
    key_facts_hash TEXT,
    offered_on TEXT,
    offer_until BIGINT,
    accepted_at BIGINT,
    disbursed_on TEXT,
    first_due TEXT,
    booked_on TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX loan_by_person ON loan (person);
CREATE INDEX loan_by_state ON loan (state, id);

CREATE TABLE loan_event (
    loan TEXT NOT NULL REFERENCES loan (id),
    seq BIGINT NOT NULL,
    kind TEXT NOT NULL,
    from_state TEXT,
    to_state TEXT,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (loan, seq)
);

-- Frozen (fraud, sanction, death) or disputed: money does not go out, but may come in.
CREATE TABLE hold (
    loan TEXT NOT NULL REFERENCES loan (id),
    since BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('frozen', 'disputed')),
    actor TEXT NOT NULL,
    lifted_at BIGINT,
    PRIMARY KEY (loan, since, kind)
);

CREATE TABLE adjustment (
    loan TEXT NOT NULL REFERENCES loan (id),
    seq BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('waive', 'write_off', 'restructure')),
    component TEXT,
    amount BIGINT,
    terms TEXT,
    dated TEXT NOT NULL,
    PRIMARY KEY (loan, seq)
);

CREATE TABLE leg (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('payout', 'collection', 'refund')),
    loan TEXT NOT NULL REFERENCES loan (id),
    rail TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    state TEXT NOT NULL,
    provider_reference TEXT,
    receipt TEXT,
    hinted_receipt TEXT,
    inquiries BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    sent_at BIGINT,
    on_statement TEXT
);
CREATE INDEX leg_by_loan ON leg (loan);
CREATE INDEX leg_by_state ON leg (state);
-- One payout of a loan that has happened or may happen; the same for what is given back.
CREATE UNIQUE INDEX leg_once ON leg (loan, kind) WHERE kind = 'payout' AND state <> 'failed' AND state <> 'reversed';
CREATE UNIQUE INDEX refund_once ON leg (loan) WHERE kind = 'refund' AND state NOT IN ('failed', 'reversed', 'succeeded');

CREATE TABLE leg_event (
    leg TEXT NOT NULL REFERENCES leg (id),
    seq BIGINT NOT NULL,
    from_state TEXT,
    to_state TEXT,
    at BIGINT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (leg, seq)
);

CREATE TABLE outbox (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    done_at BIGINT,
    PRIMARY KEY (kind, subject)
);
CREATE INDEX outbox_due ON outbox (due_at) WHERE done_at IS NULL;

-- Money that came in. One receipt of one rail is one payment.
CREATE TABLE payment (
    id TEXT PRIMARY KEY,
    seq BIGINT NOT NULL UNIQUE,
    rail TEXT NOT NULL,
    receipt TEXT NOT NULL,
    loan TEXT REFERENCES loan (id),
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    paid_on TEXT NOT NULL,
    at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('suspended', 'allocated', 'reversed')),
    UNIQUE (rail, receipt)
);
CREATE INDEX payment_by_loan ON payment (loan, paid_on, seq);

-- Money that a callback told of, as long as the provider's statement has not confirmed it. What the payer typed is kept only as the loan it names.
CREATE TABLE told (
    rail TEXT NOT NULL,
    receipt TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    loan TEXT REFERENCES loan (id),
    paid_at BIGINT NOT NULL,
    PRIMARY KEY (rail, receipt)
);

-- What contradicts the books, or nobody but a person can settle.
CREATE TABLE contradiction (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    leg TEXT REFERENCES leg (id),
    at BIGINT NOT NULL,
    detail TEXT NOT NULL,
    resolved_at BIGINT,
    resolved_by TEXT,
    UNIQUE (kind, leg)
);

-- What a borrower complains about, and until when they are answered.
CREATE TABLE complaint (
    code TEXT PRIMARY KEY,
    person TEXT NOT NULL REFERENCES person (id),
    loan TEXT REFERENCES loan (id),
    matter TEXT NOT NULL,
    at BIGINT NOT NULL,
    answer_until BIGINT NOT NULL,
    answered_at BIGINT,
    answered_by TEXT,
    answer TEXT
);
CREATE INDEX complaint_open ON complaint (answer_until) WHERE answered_at IS NULL;

-- Days of a provider's statement that were compared with the legs, and what came of it.
CREATE TABLE reconciliation (
    rail TEXT NOT NULL,
    day TEXT NOT NULL,
    at BIGINT NOT NULL,
    counts TEXT NOT NULL,
    PRIMARY KEY (rail, day)
);

CREATE TABLE account (
    name TEXT NOT NULL,
    currency TEXT NOT NULL,
    loan TEXT REFERENCES loan (id),
    debits BIGINT NOT NULL DEFAULT 0,
    credits BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (name, currency)
);

CREATE TABLE entry (
    seq BIGINT PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    dated TEXT NOT NULL,
    at BIGINT NOT NULL,
    day TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE
);
CREATE INDEX entry_by_day ON entry (day, seq);
-- What happens once is booked once.
CREATE UNIQUE INDEX entry_once ON entry (kind, subject)
    WHERE kind IN ('deposit', 'payout_requested', 'payout_succeeded', 'payout_failed', 'payout_contradicted', 'refund_requested',
                   'refund_succeeded', 'refund_failed', 'payment_received', 'committed', 'charge_booked', 'payment_reversed',
                   'fee_returned');

CREATE TABLE transfer (
    entry BIGINT NOT NULL REFERENCES entry (seq),
    place BIGINT NOT NULL,
    debit TEXT NOT NULL,
    credit TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    loan TEXT REFERENCES loan (id),
    PRIMARY KEY (entry, place),
    FOREIGN KEY (debit, currency) REFERENCES account (name, currency),
    FOREIGN KEY (credit, currency) REFERENCES account (name, currency),
    CHECK (debit <> credit)
);
CREATE INDEX transfer_by_loan ON transfer (loan) WHERE loan IS NOT NULL;

CREATE TABLE seal (
    day TEXT PRIMARY KEY,
    root TEXT NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    at BIGINT NOT NULL
);

-- What a public chain calls a loan and its borrower: random words. Up to which event it has been written down as facts, and what those say was
-- paid.
CREATE TABLE chain_loan (
    loan TEXT PRIMARY KEY REFERENCES loan (id),
    word TEXT NOT NULL UNIQUE,
    borrower TEXT NOT NULL UNIQUE,
    event BIGINT NOT NULL,
    principal BIGINT NOT NULL,
    interest BIGINT NOT NULL,
    fees BIGINT NOT NULL,
    penalties BIGINT NOT NULL
);

-- A fact for the chain, as the call by which it is told, word for word as often as it takes.
CREATE TABLE chain_fact (
    loan TEXT NOT NULL REFERENCES chain_loan (loan),
    seq BIGINT NOT NULL,
    kind TEXT NOT NULL,
    call TEXT NOT NULL,
    told_at BIGINT,
    reference TEXT,
    refused TEXT,
    PRIMARY KEY (loan, seq)
);

-- Days whose seals a chain has.
CREATE TABLE chain_anchor (
    day TEXT PRIMARY KEY REFERENCES seal (day),
    told_at BIGINT NOT NULL,
    reference TEXT
);

CREATE TABLE idempotency (
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    request TEXT NOT NULL,
    status BIGINT NOT NULL,
    answer TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (caller, key)
);

CREATE TABLE approval (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    action TEXT NOT NULL,
    maker TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    checker TEXT,
    decision TEXT CHECK (decision IN ('approved', 'refused')),
    decided_at BIGINT,
    CHECK (checker IS NULL OR checker <> maker),
    CHECK ((checker IS NULL) = (decision IS NULL) AND (checker IS NULL) = (decided_at IS NULL))
);
CREATE UNIQUE INDEX approval_pending ON approval (kind, subject) WHERE decision IS NULL;

CREATE TABLE audit (
    seq BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    role TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
);

CREATE TABLE schema_version (version BIGINT PRIMARY KEY);
