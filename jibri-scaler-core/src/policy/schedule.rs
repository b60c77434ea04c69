use super::{Clause, Lead, NotProportional, Policy, Proportional, Situation, Vote, Window};

/// So many idle Jibris at certain times of the week: the largest of the windows that last.
///
/// Each window counts from one [`Lead`] before it begins, so that the Jibris are ready then. Windows are intervals: whenever a tick
/// comes, it sees those that last. The end of one only takes its wish away; who may then go, and when, the decision says.
///
/// ```
/// use jibri_scaler_core::{
///     Group, Tally, Timestamp,
///     policy::{Lead, Policy, Schedule, Situation, Window},
/// };
///
/// let office = Window::new(8)?.on("mon-fri".parse()?).between("08:00".parse()?, "18:00".parse()?);
/// let lunch = Window::new(3)?.between("12:00".parse()?, "13:00".parse()?);
/// let policy = Schedule::new([office, lunch], Lead::default());
/// let tally = Tally::default();
/// let spare = |now: &str| Ok::<_, jibri_scaler_core::ParseTimestampError>(
///     policy.vote(&Situation::new(now.parse()?, Group::new(0, 99, 0), &tally, 0)).spare);
/// // Friday, Saturday.
/// assert_eq!((spare("2026-11-27T12:30:00Z")?, spare("2026-11-28T12:30:00Z")?, spare("2026-11-28T13:00:00Z")?), (8, 3, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    windows: Vec<Window>,
    lead: Lead,
}

impl Schedule {
    /// These windows. Where several with the same number last, the first is named.
    pub fn new(windows: impl IntoIterator<Item = Window>, lead: Lead) -> Self {
        Self {
            windows: windows.into_iter().collect(),
            lead,
        }
    }

    /// Whether there is no window.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }
}

impl Policy for Schedule {
    fn vote(&self, situation: &Situation<'_>) -> Vote {
        let lead = self.lead.of(situation.learned);
        let mut best: Option<&Window> = None;
        for window in &self.windows {
            let more = best.is_none_or(|best| window.spare() > best.spare());
            if more && window.is_near(situation.now, lead) {
                best = Some(window);
            }
        }
        match best {
            Some(window) => Vote::new("schedule", window.spare(), Clause::Schedule(window.clone())),
            None => Vote::new("schedule", 0, "no window lasts or begins soon"),
        }
    }

    fn proportional(&self) -> Result<Proportional, NotProportional> {
        if self.is_empty() {
            return Ok(Proportional::default());
        }
        Err(NotProportional::new("schedule")
            .because("follows from the time, of which alarms know nothing"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Group, Tally};

    fn window(spare: u32, from: &str, to: &str) -> Window {
        Window::new(spare)
            .unwrap()
            .between(from.parse().unwrap(), to.parse().unwrap())
    }

    fn vote(policy: &Schedule, now: &str, in_use: u32) -> Vote {
        let tally = Tally::default();
        policy.vote(&Situation::new(
            now.parse().unwrap(),
            Group::new(0, 9, 0),
            &tally,
            in_use,
        ))
    }

    #[test]
    fn the_largest_window_wins_and_is_named() {
        let windows = [
            window(3, "08:00", "18:00"),
            window(9, "10:00", "11:00"),
            window(3, "17:00", "19:00"),
        ];
        let policy = Schedule::new(windows, Lead::default());
        // The lead is 220 s.
        let cases = [
            ("07:56:19", 0, "no window"),
            ("07:56:20", 3, "mon-sun 08:00–18:00 UTC wants 3"),
            ("09:56:20", 9, "mon-sun 10:00–11:00 UTC wants 9"),
            ("10:59:59", 9, "10:00–11:00"),
            ("11:00:00", 3, "08:00–18:00"),
            ("17:30:00", 3, "08:00–18:00"),
            ("18:00:00", 3, "17:00–19:00"),
            ("19:00:00", 0, "no window"),
        ];
        for (time, spare, because) in cases {
            let vote = vote(&policy, &format!("2026-11-23T{time}Z"), 0);
            assert_eq!(vote.spare, spare, "at {time}");
            assert!(
                vote.because.to_string().contains(because),
                "at {time}: {}",
                vote.because
            );
        }
    }

    #[test]
    fn a_tick_at_any_second_sees_the_window() {
        let policy = Schedule::new([window(4, "10:00", "10:01")], Lead::default());
        for second in 0..60 {
            assert_eq!(
                vote(&policy, &format!("2026-11-23T10:00:{second:02}Z"), second).spare,
                4
            );
        }
    }

    #[test]
    fn busy_jibris_make_no_difference_and_an_alarm_can_not_follow_it() {
        let policy = Schedule::new([window(4, "10:00", "11:00")], Lead::default());
        for in_use in 0..50 {
            assert_eq!(vote(&policy, "2026-11-23T10:30:00Z", in_use).spare, 4);
        }
        let refused = policy.proportional().unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("`schedule` follows from the time"),
            "{refused}"
        );
        assert!(Schedule::default().proportional().is_ok());
    }
}
