//! The simulator, from outside.

mod bill;
mod bounds;
mod jicofo;
mod luck;
mod replay;
mod support;
