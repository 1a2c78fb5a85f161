//! The built program against clients and upstreams that others wrote.
//!
//! Node and Python are needed; where one is missing its tests say so and pass, unless `CI` is set.

mod client;
mod editor;
mod home;
mod models;
mod node;
mod restart;
mod script;
mod terminal;
mod upstream;
