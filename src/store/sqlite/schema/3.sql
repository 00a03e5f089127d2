-- What came, as blocks (history/block): what one commit took, and, once sealed, the parts of what came in a while, each
-- with other subjects.
CREATE TABLE history (
    seq            INTEGER PRIMARY KEY,
    sealed         INTEGER NOT NULL,   -- 0, 1
    first_sequence INTEGER NOT NULL,   -- of its steps
    last_sequence  INTEGER NOT NULL,
    first_arrived  INTEGER NOT NULL,   -- in engine time
    last_arrived   INTEGER NOT NULL,
    first_subject  TEXT NOT NULL,      -- kind, unit separator (U+001F), name
    last_subject   TEXT NOT NULL,
    samples        INTEGER NOT NULL,
    block          BLOB NOT NULL,
    UNIQUE (sealed, first_sequence, first_subject)
) STRICT;
CREATE INDEX history_by_time ON history (last_arrived);

-- Up to which step what came is sealed: what a commit took up to there stands in sealed parts too, and is removed little
-- by little; sealed parts of later steps are not complete.
ALTER TABLE installation ADD COLUMN sealed INTEGER;
