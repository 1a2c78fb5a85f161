//! What is fast to check. What talks to other people's programs is in `tests/real_world`.

mod architecture;
mod cli;
mod home;
mod imports;
mod layout;
mod licences;
mod program;
mod readme;
mod schema;
mod source;
mod transcript;
mod wire;
