//! Planning to provision, and to take it away, as pure functions.

mod destroy;
mod doctor;
mod fixture;
mod gate;
mod plan;
mod refusals;
mod template;
