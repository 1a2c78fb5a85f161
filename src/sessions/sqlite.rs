//! Not here yet.

pub struct Sqlite;
