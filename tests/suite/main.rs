//! What is fast to check. What talks to other people's programs is in `tests/real_world`.

mod clients;
mod home;
mod imports;
mod layout;
mod licences;
mod limits;
mod readme;
mod schema;
mod source;
mod transcript;
mod wire;
