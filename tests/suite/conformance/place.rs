//! The ways in, each with a daemon at its end.

use crate::home::Home;
use crate::site::Site;
use crate::wire::{Framing, Wire};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    /// By itself, over standard input and output.
    Program(Framing),
    Shim(Framing),
    Socket(Framing),
    /// Each line is a message of its own.
    WebSocket,
}

impl Way {
    pub fn framing(self) -> Framing {
        match self {
            Self::Program(framing) | Self::Shim(framing) | Self::Socket(framing) => framing,
            Self::WebSocket => Framing::Lines,
        }
    }

    /// Whether a process ends with the connection.
    pub fn is_process(self) -> bool {
        matches!(self, Self::Program(_) | Self::Shim(_))
    }
}

pub struct Place {
    pub way: Way,
    host: Host,
}

enum Host {
    Home(Home),
    Site(Site),
}

impl Place {
    /// `tables` stand in the configuration.
    pub async fn open(way: Way, tables: &str) -> Self {
        let host = match way {
            Way::WebSocket => Host::Site(Site::start(tables).await),
            _ => Host::Home(Home::with(tables)),
        };
        let place = Self { way, host };
        if let Way::Socket(_) = way {
            place.home().serve().await;
        }
        place
    }

    pub fn home(&self) -> &Home {
        match &self.host {
            Host::Home(home) => home,
            Host::Site(site) => &site.home,
        }
    }

    pub async fn connect(&self) -> Wire {
        match (&self.host, self.way) {
            (Host::Site(site), _) => Wire::over_websocket(site.socket().await),
            (Host::Home(home), Way::Program(framing)) => home.spawn(framing),
            (Host::Home(home), Way::Shim(framing)) => home.shim(framing),
            (Host::Home(home), way) => home.connect(way.framing()).await,
        }
    }
}
