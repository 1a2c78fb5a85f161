//! What is fast to check. What talks to other people's programs is in `tests/real_world`.

mod anthropic;
mod architecture;
mod bytes;
mod cancel;
mod cli;
mod clients;
mod discover;
mod durability;
mod fallbacks;
mod fuzz;
mod home;
mod imports;
mod layout;
mod licences;
mod limits;
mod process;
mod program;
mod races;
mod readme;
mod schema;
mod secrets;
mod server;
mod source;
mod transcript;
mod upstream;
mod wire;
