//! Acting only while this replica leads.

use super::{Controller, TickError, TickReport};
use crate::{
    Finding, Memory, Severity, Timestamp,
    port::{Leadership, PortError},
};

/// Whether this replica leads, as far as the last tick knew.
pub(super) struct Leading {
    port: Box<dyn Leadership>,
    led: bool,
    /// Whether its last save since it leads has succeeded. Until then the last save of the leader before may still arrive, and after one that
    /// failed something else may be there, so it loads again.
    saved: bool,
    /// How many ticks in a row could not be made while it led.
    failed: u32,
    /// Whether the others go first in the next tick.
    rests: bool,
    /// What was taken in last of what is stored, or saved last. What is remembered follows from it until somebody else saves.
    followed: Option<Memory>,
}

/// A replica that leads and can't see the group, or not load the memory, lets another one try after so many ticks.
const FAILED_TICKS: u32 = 3;

/// What came of the campaign of a tick.
#[derive(Default)]
pub(super) struct Campaign {
    observes: bool,
    problems: Vec<PortError>,
}

impl Leading {
    pub(super) fn new(port: impl Leadership + 'static) -> Self {
        Self {
            port: Box::new(port),
            led: false,
            saved: false,
            failed: 0,
            rests: false,
            followed: None,
        }
    }

    /// Whether the lead that was there at the begin of the tick is none any more.
    pub(super) fn has_run_out(&self) -> bool {
        !self.port.leads()
    }

    /// Takes in whether this memory was saved.
    pub(super) fn saves(&mut self, memory: &Memory, is_saved: bool) {
        self.saved = is_saved;
        if is_saved {
            self.followed = Some(memory.clone());
        }
    }

    /// Whether the last save since this replica leads has succeeded.
    pub(super) const fn has_saved(&self) -> bool {
        self.saved
    }

    fn lost(&mut self) {
        if self.led {
            // What it did since may not have been saved, and would not follow from what is stored.
            self.followed = None;
        }
        (self.led, self.saved) = (false, false);
    }
}

impl Controller {
    /// Asks for the lead. A replica that has just taken it goes on from what the one before it has remembered, and one that does not
    /// lead from what the one that does remembers.
    pub(super) async fn campaign(&mut self, now: Timestamp) -> Result<Campaign, TickError> {
        let Some(leading) = self.leading.as_mut().filter(|_| !self.dry_run) else {
            return Ok(Campaign::default());
        };
        let mut problem = None;
        if !leading.rests {
            // Whoever lost it meanwhile must not go on from what it remembers itself: another one may have led since.
            if leading.led && !leading.port.leads() {
                leading.lost();
            }
            let asked = leading.port.campaign().await;
            problem = asked.err().map(|error| error.in_call("campaign"));
            if leading.port.leads() {
                let (led, saved) = (leading.led, leading.saved);
                let mut missed = None;
                if !saved {
                    match self.catch_up(now).await {
                        // It knows what there was, and a group must grow also while nothing can be saved.
                        Err(error) if led => missed = Some(error),
                        caught_up => caught_up.map_err(TickError::LoadMemory)?,
                    }
                }
                if let Some(leading) = &mut self.leading {
                    // Only now, so that what could not be loaded is loaded the next time.
                    leading.led = true;
                }
                return Ok(Campaign {
                    observes: false,
                    problems: problem.into_iter().chain(missed).collect(),
                });
            }
            leading.lost();
        }
        let missed = self.catch_up(now).await.err();
        // What it has seen itself will do to observe.
        self.memory.get_or_insert_with(|| Memory::anew(now));
        if let Some(leading) = &mut self.leading {
            leading.rests = false;
        }
        Ok(Campaign {
            observes: true,
            problems: problem.into_iter().chain(missed).collect(),
        })
    }

    /// Goes on from what is stored. Where nothing is, or nobody has saved since this replica took it in, it goes on from its own: that
    /// holds what it has seen since.
    pub(super) async fn catch_up(&mut self, now: Timestamp) -> Result<(), PortError> {
        let loaded = self.store.load().await;
        let stored = loaded.map_err(|error| error.in_call("load"))?;
        if let (Some(stored), Some(leading)) = (stored, &mut self.leading)
            && leading.followed.as_ref() != Some(&stored)
        {
            self.memory = Some(stored.clone().taken_over(now, &self.limits));
            leading.followed = Some(stored);
        }
        self.memory.get_or_insert_with(|| Memory::anew(now));
        Ok(())
    }

    /// Takes in whether a tick could be made. One that leads and can't lets the others go first in the end.
    pub(super) async fn has_ticked(&mut self, made: bool) {
        let Some(leading) = &mut self.leading else {
            return;
        };
        if made || !leading.port.leads() {
            leading.failed = 0;
            return;
        }
        leading.failed += 1;
        if leading.failed >= FAILED_TICKS {
            leading.failed = 0;
            leading.lost();
            leading.rests = true;
            // Where that fails too, the lead runs out by itself, since the next tick does not prolong it.
            let _ = leading.port.resign().await;
        }
    }

    /// Whether this replica leads at this moment, or is the only one.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.leading
            .as_ref()
            .is_none_or(|leading| leading.port.leads())
    }

    /// Whether this replica leads, and goes on from what the one before it has remembered.
    pub(super) fn has_taken_over(&self) -> bool {
        self.leading
            .as_ref()
            .is_none_or(|leading| leading.led && leading.port.leads())
    }

    /// Gives the lead up, so that another replica takes it at once: for the end of a service. Without
    /// [`with_leadership`](Self::with_leadership) it does nothing.
    ///
    /// Cancellation: where the future is dropped, another replica may have to wait until the lead has run out.
    ///
    /// # Errors
    /// Where it is not certain that another replica can take it before it has run out.
    pub async fn resign(&mut self) -> Result<(), PortError> {
        let Some(leading) = &mut self.leading else {
            return Ok(());
        };
        leading.lost();
        leading.port.resign().await
    }
}

impl Campaign {
    /// Notes what came of it. Returns whether this replica may act.
    pub(super) fn note(self, report: &mut TickReport) -> bool {
        report.problems.extend(self.problems);
        if self.observes {
            report.findings.push(Finding::new(
                Severity::Info,
                "another replica leads this group, or none does, so it is only observed here",
                "nothing, as long as one of the replicas leads",
            ));
        }
        !self.observes
    }
}

/// What is said where the lead ran out between two acts.
pub(super) fn lost() -> Finding {
    Finding::new(
        Severity::Warning,
        "the lead ran out in the middle of a tick, so the rest of its plan was left to the next leader",
        "if it comes again: let the lead last longer, at least three times the interval, or find out what holds this replica up",
    )
}
