CREATE TABLE sessions (
    name       TEXT    PRIMARY KEY NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_seq   INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE turns (
    -- A number of its own, so that turns of one millisecond keep their order.
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT    NOT NULL UNIQUE,
    session    TEXT    NOT NULL REFERENCES sessions (name) ON DELETE CASCADE,
    state      TEXT    NOT NULL,
    settings   TEXT    NOT NULL,
    iterations INTEGER NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE INDEX turns_of_session ON turns (session, number);

CREATE TABLE messages (
    -- Autoincrement: the number of a deleted message is never given again, so `before` stays true.
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    session     TEXT    NOT NULL REFERENCES sessions (name) ON DELETE CASCADE,
    turn_id     TEXT    NOT NULL,
    -- The turn's own number. A queued turn keeps its first message before the turn ahead of it has ended, so the
    -- order of a conversation is by turn and then by id.
    turn_number INTEGER NOT NULL,
    message     TEXT    NOT NULL,
    provider    TEXT,
    created_at  INTEGER NOT NULL
);
CREATE INDEX messages_in_order ON messages (session, turn_number, id);

CREATE TABLE actions (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT    NOT NULL UNIQUE,
    session     TEXT    NOT NULL REFERENCES sessions (name) ON DELETE CASCADE,
    turn_id     TEXT    NOT NULL,
    skill       TEXT    NOT NULL,
    input       TEXT,
    tool_use_id TEXT,
    reason      TEXT,
    dangerous   INTEGER NOT NULL,
    state       TEXT    NOT NULL,
    created_at  INTEGER NOT NULL
);
CREATE INDEX actions_of_session ON actions (session, state, number);
