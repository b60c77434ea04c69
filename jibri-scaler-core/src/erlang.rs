//! The Erlang loss formula: how many spare Jibris refuse how few recordings.
//!
//! Jicofo has no queue: a recording that finds no idle Jibri is refused. A spare that is taken is ordered anew and is missing for one
//! *lead time*, so that the launches under way behave as a loss system whose "calls" last one lead. With `m` kept spare or booting, and
//! recordings that start at random at a rate λ, the share refused is B(m, λ·lead), whatever the law of the lead with that mean
//! (S. A. Smith, *Management Science* 23(5), 1977). Where Jibris that end a recording are used again it is an upper bound.

/// The most servers that [`servers_for`] answers: as many as a policy may want spare.
pub const MOST_SERVERS: u32 = 10_000;

/// The share of calls that are refused, 0 to 1: `servers` of them serve an offered load of `offered` erlangs (starts per lead time).
///
/// By the recurrence B(0) = 1, B(i) = a·B(i−1) / (i + a·B(i−1)), which is stable for every load. A negative load counts as none, and
/// one that is not a number as infinite.
///
/// ```
/// use jibri_scaler_core::erlang::erlang_b;
///
/// // 30 starts an hour and a lead of 180 s: 1.5 starts in a lead.
/// assert!((erlang_b(4, 1.5) - 0.0480).abs() < 5e-5);
/// assert_eq!(erlang_b(0, 1.5), 1.0);
/// assert_eq!(erlang_b(1, 0.0), 0.0);
/// ```
#[must_use]
pub fn erlang_b(servers: u32, offered: f64) -> f64 {
    let mut refused = Refused::new(offered);
    for _ in 0..servers {
        refused.one_more();
    }
    refused.share
}

/// The smallest number of servers that refuses no more than this share, at most [`MOST_SERVERS`].
///
/// A share of 0 or less, or one that is not a number, can't be met and gives [`MOST_SERVERS`]; so does a load that is infinite or not a
/// number.
///
/// ```
/// use jibri_scaler_core::erlang::servers_for;
///
/// // 30 starts an hour and a lead of 210 s.
/// assert_eq!([0.05, 0.01, 0.001].map(|share| servers_for(30.0 * 210.0 / 3600.0, share)), [5, 6, 8]);
/// ```
#[must_use]
pub fn servers_for(offered: f64, refuse_at_most: f64) -> u32 {
    let possible = refuse_at_most > 0.0;
    let mut refused = Refused::new(offered);
    while !(possible && refused.share <= refuse_at_most) && refused.servers < MOST_SERVERS {
        refused.one_more();
    }
    refused.servers
}

/// The recurrence.
struct Refused {
    offered: f64,
    servers: u32,
    share: f64,
}

impl Refused {
    const fn new(offered: f64) -> Self {
        // Not `max`, which would make what is not a number a load of none.
        let offered = if offered < 0.0 { 0.0 } else { offered };
        Self {
            offered,
            servers: 0,
            share: 1.0,
        }
    }

    fn one_more(&mut self) {
        self.servers = self.servers.saturating_add(1);
        if self.offered.is_finite() {
            let load = self.offered * self.share;
            self.share = load / (f64::from(self.servers) + load);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_the_published_figures() {
        // Offered load, servers, share.
        let cases = [
            (0.3, 1, 0.2308),
            (0.3, 2, 0.0335),
            (0.3, 3, 0.00333),
            (1.5, 4, 0.0480),
            (1.5, 6, 0.0035),
            (6.0, 8, 0.1219),
            (6.0, 10, 0.0431),
        ];
        for (offered, servers, share) in cases {
            let computed = erlang_b(servers, offered);
            assert!(
                (computed - share).abs() < 6e-5,
                "B({servers}, {offered}) = {computed}"
            );
        }
    }

    #[test]
    fn it_gives_the_table_of_buffers() {
        const LEADS: [f64; 4] = [90.0, 150.0, 210.0, 270.0];
        #[rustfmt::skip]
        let table: [(f64, [[u32; 3]; 4]); 8] = [
            (1.0, [[1, 2, 2], [1, 2, 2], [2, 2, 3], [2, 2, 3]]),
            (2.0, [[1, 2, 3], [2, 2, 3], [2, 2, 3], [2, 2, 3]]),
            (4.0, [[2, 2, 3], [2, 3, 3], [2, 3, 4], [2, 3, 4]]),
            (8.0, [[2, 3, 4], [2, 3, 4], [3, 4, 5], [3, 4, 5]]),
            (15.0, [[2, 3, 4], [3, 4, 5], [3, 5, 6], [4, 5, 6]]),
            (30.0, [[3, 4, 5], [4, 5, 7], [5, 6, 8], [6, 7, 9]]),
            (60.0, [[4, 6, 7], [6, 7, 9], [7, 9, 11], [8, 11, 13]]),
            (120.0, [[7, 8, 10], [9, 11, 14], [11, 14, 17], [14, 17, 20]]),
        ];
        for (per_hour, buffers) in table {
            for (lead, expected) in LEADS.into_iter().zip(buffers) {
                let offered = per_hour * lead / 3600.0;
                let computed = [0.05, 0.01, 0.001].map(|share| servers_for(offered, share));
                assert_eq!(computed, expected, "{per_hour} an hour, a lead of {lead} s");
            }
        }
    }

    #[test]
    fn it_is_monotone() {
        for servers in 0..60 {
            for load in 0..60 {
                let offered = f64::from(load) / 2.0;
                let here = erlang_b(servers, offered);
                assert!(erlang_b(servers + 1, offered) <= here);
                assert!(erlang_b(servers, offered + 0.5) >= here);
                assert!((0.0..=1.0).contains(&here));
            }
        }
    }

    #[test]
    fn odd_numbers_give_the_safe_answer() {
        for odd in [f64::NAN, f64::INFINITY] {
            assert!((erlang_b(50, odd) - 1.0).abs() < f64::EPSILON);
            assert_eq!(servers_for(odd, 0.01), MOST_SERVERS);
        }
        assert!(erlang_b(1, -1.0).abs() < f64::EPSILON);
        assert_eq!(servers_for(-1.0, 0.01), 1);
        for share in [0.0, -1.0, f64::NAN] {
            assert_eq!(servers_for(1.5, share), MOST_SERVERS);
        }
        assert_eq!(servers_for(1.5, 1.0), 0);
        assert_eq!(servers_for(1e9, 0.01), MOST_SERVERS);
    }
}
