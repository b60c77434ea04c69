//! The lead as a lease in a store that can write conditionally, without a clock that two replicas would have to share.
//!
//! It is the algorithm of Amazon's lock client for `DynamoDB` (`amazon-dynamodb-lock-client`): the record holds no time, but a version
//! that each write raises. Who wants the lead takes it only after it has seen the same version for as long as the record says, by a
//! clock of its own that only has to run at about the right speed. Who has the lead counts from before its last write, and
//! [stops early](MARGIN).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{OutOfRange, time::readable};

/// Who leads stops to believe so when this part of the [`ttl`](Lease::ttl) is left, so that two clocks may run at speeds that differ
/// by as much.
pub const MARGIN: f64 = 0.2;

/// What is stored where all replicas see it.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::lease::Record;
///
/// let record = Record::new("scaler-a", 7, Duration::from_secs(30));
/// assert_eq!((record.holder(), record.version()), ("scaler-a", 7));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    holder: String,
    version: u64,
    ttl: Duration,
}

impl Record {
    /// The record of this replica, at this version, which others heed for that long. Zero: it was given up.
    #[must_use]
    pub fn new(holder: impl Into<String>, version: u64, ttl: Duration) -> Self {
        Self {
            holder: holder.into(),
            version,
            ttl,
        }
    }

    /// Who wrote it.
    #[must_use]
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// How many writes there were.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// How long it must be seen unchanged before another may take the lead.
    #[must_use]
    pub const fn ttl(&self) -> Duration {
        self.ttl
    }
}

/// A write that must succeed only if the store still holds what was read: nothing, or a record of that version and holder.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::lease::Lease;
///
/// let mut lease = Lease::new("scaler-a", Duration::from_secs(30))?;
/// let write = lease.read(None, Duration::ZERO, Duration::ZERO).expect("nobody has it");
/// assert_eq!(write.unless_changed, None);
/// assert_eq!(write.record.version(), 1);
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Write {
    /// What must still be stored.
    pub unless_changed: Option<Record>,
    /// What is to be stored in its place.
    pub record: Record,
}

/// The lead of one replica, as a pure state machine.
///
/// Times are those of a clock that never goes back, counted from anywhere, of this process alone. After each read of the store
/// [`read`](Self::read) says what is to be written, and [`written`](Self::written) takes in that it was.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::lease::Lease;
///
/// let at = Duration::from_secs;
/// let (mut a, mut b) = (Lease::new("a", at(30))?, Lease::new("b", at(30))?);
/// let write = a.read(None, at(0), at(0)).expect("nobody has the lead");
/// a.written(&write, at(1));
/// assert!(a.leads(at(24)) && !a.leads(at(25)), "it stops a fifth of 30 s early");
///
/// // The other replica first sees it at second 20, and waits for 30 s from there.
/// assert_eq!(b.read(Some(write.record.clone()), at(20), at(20)), None);
/// assert_eq!(b.read(Some(write.record.clone()), at(49), at(49)), None);
/// assert!(b.read(Some(write.record), at(50), at(50)).is_some());
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lease {
    holder: String,
    ttl: Duration,
    /// The record of another that was seen last, and when its read had ended at the latest when it was seen first.
    seen: Option<(Record, Duration)>,
    /// Until when this replica leads.
    until: Option<Duration>,
}

impl Lease {
    /// The lead that this replica asks for and has not yet, for so long at a time: 5 s to 1 h, and at least three times what is
    /// between two campaigns. `holder` must be another for every process, also for one that starts again: give it something random.
    ///
    /// # Errors
    /// Where the time is out of range.
    pub fn new(holder: impl Into<String>, ttl: Duration) -> Result<Self, OutOfRange> {
        if !(Duration::from_secs(5)..=Duration::from_secs(3600)).contains(&ttl) {
            let value = format!("\"{}\"", readable(ttl));
            return Err(OutOfRange::new("lease_ttl", value, "\"5s\"–\"1h\""));
        }
        Ok(Self {
            holder: holder.into(),
            ttl,
            seen: None,
            until: None,
        })
    }

    /// Who this replica is.
    #[must_use]
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// How long the others wait after a write of this replica.
    #[must_use]
    pub const fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Takes in what the store holds, read between these two times, by a read that sees every write that had ended before it began.
    /// Returns what is to be written; nothing, while another may lead.
    #[must_use = "the lead is taken or prolonged by the write"]
    pub fn read(
        &mut self,
        stored: Option<Record>,
        begun: Duration,
        ended: Duration,
    ) -> Option<Write> {
        let Some(stored) = stored else {
            self.seen = None;
            return Some(self.write(None));
        };
        if stored.holder == self.holder {
            self.seen = None;
            return Some(self.write(Some(stored)));
        }
        // Somebody took it, which they could only after it had run out here.
        if self.until.take().is_some() {
            // Also where it is free again: who led before must know that somebody else has led since.
            self.seen = Some((stored, ended));
            return None;
        }
        let since = match &self.seen {
            Some((seen, since)) if *seen == stored => *since,
            _ => ended,
        };
        let unchanged = begun.saturating_sub(since);
        let free = stored.ttl.is_zero() || unchanged >= stored.ttl;
        self.seen = Some((stored.clone(), since));
        free.then(|| self.write(Some(stored)))
    }

    /// Takes in that the write succeeded; it had not begun before `begun`.
    pub fn written(&mut self, write: &Write, begun: Duration) {
        self.seen = None;
        self.until = (!write.record.ttl.is_zero())
            .then(|| begun.saturating_add(self.ttl.mul_f64(1.0 - MARGIN)));
    }

    /// Takes in that the store had changed, so that nothing was written: another has the lead.
    pub const fn refused(&mut self) {
        self.until = None;
    }

    /// Gives the lead up at once. Returns what is to be written so that another need not wait, where `stored` is this replica's.
    #[must_use = "without the write the others wait until the lead has run out"]
    pub fn resign(&mut self, stored: Option<Record>) -> Option<Write> {
        self.until = None;
        let stored = stored.filter(|stored| stored.holder == self.holder)?;
        let mut write = self.write(Some(stored));
        write.record.ttl = Duration::ZERO;
        Some(write)
    }

    /// Whether this replica leads at this time.
    #[must_use]
    pub fn leads(&self, now: Duration) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    fn write(&self, unless_changed: Option<Record>) -> Write {
        let version = unless_changed.as_ref().map_or(0, Record::version);
        Write {
            record: Record::new(self.holder.as_str(), version.wrapping_add(1), self.ttl),
            unless_changed,
        }
    }
}
