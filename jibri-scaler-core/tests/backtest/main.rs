//! The simulator, from outside.

mod bill;
mod jicofo;
mod luck;
mod replay;
mod support;
