//! The built program against clients and upstreams that others wrote.
//!
//! Node and Python are needed; where one is missing its tests fail and say so, unless `OPEN_THINK_SKIP_REAL_WORLD=1`.

mod activation;
#[path = "../background.rs"]
mod background;
mod client;
mod clients;
mod codex;
mod editor;
mod faults;
mod finds;
mod home;
mod http;
mod keyring;
mod load;
mod models;
mod needs;
mod node;
mod npm;
mod restart;
mod script;
mod shared;
#[path = "../skipped.rs"]
mod skipped;
mod terminal;
mod units;
mod upstream;
