//! The shared daemon under load: many who start it, many who are connected, and many who only hold lines open.

mod floods;
mod line;
pub mod served;
mod starts;
mod streams;
mod upstream;
