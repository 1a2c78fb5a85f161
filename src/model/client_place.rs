//! Where a client is: what is started for it works there, and sees its environment.
//! A call that a turn makes for it knows that turn too.

use std::fmt;
use std::path::PathBuf;

/// Of one that told nothing it is empty. `Debug` prints the names of variables alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientPlace {
    pub cwd: Option<PathBuf>,
    /// As much of it as programs may see; never keys.
    pub env: Vec<(String, String)>,
    /// Which client it is, by the number of its connection.
    pub client: Option<u64>,
    /// None where the client itself calls.
    pub turn: Option<TurnName>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnName {
    pub session: String,
    pub id: String,
}

impl ClientPlace {
    /// The same for what a turn calls.
    pub fn in_turn(&self, session: &str, id: &str) -> Self {
        Self { turn: Some(TurnName { session: session.to_owned(), id: id.to_owned() }), ..self.clone() }
    }
}

impl fmt::Debug for ClientPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("ClientPlace")
            .field("cwd", &self.cwd)
            .field("env", &names)
            .field("client", &self.client)
            .field("turn", &self.turn)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::ClientPlace;

    #[test]
    fn values_are_never_printed() {
        let place = ClientPlace {
            cwd: Some("/a".into()),
            env: vec![("LANG".into(), "nowhere".into())],
            ..ClientPlace::default()
        };
        assert_eq!(format!("{place:?}"), r#"ClientPlace { cwd: Some("/a"), env: ["LANG"], client: None, turn: None }"#);
    }
}
