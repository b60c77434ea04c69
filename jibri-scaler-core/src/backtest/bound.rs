//! What no policy can beat, so that a policy is compared with what is possible and not with nothing.
//!
//! There are two bounds, and a policy belongs beside both. Who knows every recording in advance needs next to nothing spare:
//! [`without_refusals`], or [`frontier`] where some may be refused. Nobody can do that. Who knows the *rate* of recordings, but not the
//! recordings, is the [`RateOracle`]: the gap from it to a policy is what learning costs, the gap from the first bound to it is the price
//! of chance.

mod flow;
mod frontier;
mod rate_oracle;
mod stack;

pub use frontier::{Priced, at_price, frontier, frontier_from};
pub use rate_oracle::RateOracle;
pub use stack::{Bound, without_refusals, without_refusals_from};
