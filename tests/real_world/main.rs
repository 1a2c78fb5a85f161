//! The built program against clients and upstreams that others wrote.
//!
//! Node and Python are needed; where one is missing its tests fail and say so, unless `OPEN_THINK_SKIP_REAL_WORLD=1`.

#[path = "../background.rs"]
mod background;
mod client;
mod codex;
mod editor;
mod faults;
mod finds;
mod home;
mod keyring;
mod models;
mod needs;
mod node;
mod npm;
mod python_client;
mod restart;
mod script;
mod shared;
#[path = "../skipped.rs"]
mod skipped;
mod terminal;
mod units;
mod upstream;
