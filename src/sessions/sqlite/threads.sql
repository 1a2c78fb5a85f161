-- What an engine keeps of a conversation by itself, by its own name of it.
CREATE TABLE threads (
    session     TEXT    NOT NULL REFERENCES sessions (name) ON DELETE CASCADE,
    -- propose or work
    kind        TEXT    NOT NULL,
    thread_id   TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    -- The last message of the session that it knows of; 0 if it knows of none.
    seen        INTEGER NOT NULL,
    PRIMARY KEY (session, kind)
) WITHOUT ROWID;

-- Something of an engine's own, and not the call of a skill.
ALTER TABLE actions ADD COLUMN own INTEGER NOT NULL DEFAULT 0;
