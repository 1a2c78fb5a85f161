-- The plugin that brings the skill; null where that is not known.
ALTER TABLE actions ADD COLUMN plugin TEXT;
