-- Times are whole microseconds since the Unix epoch, by the wall clock where nothing else is said.
-- `seq` counts in the order in which rows were stored, which is the order in which things happened.

-- One row: what is true of the whole database.
CREATE TABLE installation (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    seed     INTEGER NOT NULL,  -- the bits of an unsigned number
    sequence INTEGER,           -- of the newest stored step
    time     INTEGER            -- its engine time
) STRICT;
INSERT INTO installation (one, seed) VALUES (1, random());

-- The engine's state as of the newest stored step, piece by piece.
CREATE TABLE state (
    key   TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL         -- JSON
) STRICT, WITHOUT ROWID;

-- Alerts that any other row speaks of.
CREATE TABLE alert (
    seq  INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    rule TEXT NOT NULL,
    UNIQUE (kind, name, rule)
) STRICT;
CREATE INDEX alert_by_rule ON alert (rule);

-- Firings. Other rows name them by `seq`, so that what belongs to new firings lies together at the end of each index.
CREATE TABLE firing (
    seq     INTEGER PRIMARY KEY,
    id      TEXT NOT NULL UNIQUE,
    alert   INTEGER NOT NULL,
    since   INTEGER,            -- NULL: no event of it is known, it is only spoken of
    ended   INTEGER,            -- of one that is only spoken of: when
    reason  TEXT,
    level   TEXT NOT NULL,
    labels  TEXT NOT NULL,      -- JSON
    message TEXT NOT NULL
) STRICT;
CREATE INDEX firing_by_since ON firing (since);
CREATE INDEX firing_by_end ON firing (ended, since);
CREATE INDEX firing_by_alert ON firing (alert);

CREATE TABLE event (
    seq     INTEGER PRIMARY KEY,
    firing  INTEGER NOT NULL,
    time    INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    reason  TEXT,
    level   TEXT NOT NULL,
    labels  TEXT NOT NULL,      -- JSON
    message TEXT NOT NULL
) STRICT;
CREATE INDEX event_by_firing ON event (firing);

CREATE TABLE suppressed (
    seq     INTEGER PRIMARY KEY,
    firing  INTEGER NOT NULL,
    channel TEXT NOT NULL,
    reason  TEXT NOT NULL,
    -- How many events of the firing that were not told.
    events  INTEGER NOT NULL
) STRICT;
CREATE INDEX suppressed_by_firing ON suppressed (firing);

CREATE TABLE transition (
    seq        INTEGER PRIMARY KEY,
    alert      INTEGER NOT NULL,
    time       INTEGER NOT NULL,
    from_state TEXT NOT NULL,
    to_state   TEXT NOT NULL
) STRICT;
CREATE INDEX transition_by_alert ON transition (alert);
CREATE INDEX transition_by_time ON transition (time);

CREATE TABLE notification (
    seq           INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    channel       TEXT NOT NULL,
    time          INTEGER NOT NULL,
    state         TEXT NOT NULL,     -- waiting, delivered, absorbed, dead
    state_time    INTEGER,           -- waiting: when it is tried next; delivered, dead: when
    state_detail  TEXT,              -- absorbed: the summary's id; dead: why
    attempts      INTEGER NOT NULL,
    first_attempt INTEGER,
    body          TEXT NOT NULL      -- JSON
) STRICT;
CREATE INDEX notification_by_state ON notification (state);
CREATE INDEX notification_by_channel ON notification (channel);
CREATE INDEX notification_by_time ON notification (time);

-- Which notifications tell of which firing.
CREATE TABLE notification_alert (
    firing       INTEGER NOT NULL,
    notification INTEGER NOT NULL,
    PRIMARY KEY (firing, notification)
) STRICT, WITHOUT ROWID;
CREATE INDEX notification_alert_by_notification ON notification_alert (notification);

-- The newest attempts of each notification.
CREATE TABLE attempt (
    notification INTEGER NOT NULL,
    number       INTEGER NOT NULL,
    channel      TEXT NOT NULL,
    time         INTEGER NOT NULL,
    took         INTEGER NOT NULL,   -- nanoseconds
    result       TEXT NOT NULL,      -- delivered, failed, dead
    detail       TEXT,               -- delivered: who did not get it; failed, dead: why
    next         INTEGER,            -- failed: when it is tried again
    PRIMARY KEY (notification, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_by_channel ON attempt (channel, time);

-- What operators did to notifications, so that the same record that comes again is known.
CREATE TABLE intervention (
    notification INTEGER NOT NULL,
    time         INTEGER NOT NULL,
    kind         TEXT NOT NULL,      -- revived, dropped
    PRIMARY KEY (notification, time, kind)
) STRICT, WITHOUT ROWID;

-- The last good text of each file.
CREATE TABLE text (
    file    TEXT NOT NULL PRIMARY KEY,
    text    TEXT NOT NULL,
    imports TEXT NOT NULL            -- JSON: texts by path
) STRICT;
