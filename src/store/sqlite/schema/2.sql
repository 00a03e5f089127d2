-- The audit log: what was asked for, by whom, and what came of it.
CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY,
    time    INTEGER NOT NULL,   -- microseconds, by the wall clock
    who     TEXT NOT NULL,
    address TEXT,
    what    TEXT NOT NULL,
    status  INTEGER NOT NULL,   -- of the answer, as HTTP has it
    UNIQUE (time, who, what)    -- the same record may come again
) STRICT;
CREATE INDEX audit_by_time ON audit (time);
