//! One cell for each minute of the week.

use std::ops::Range;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

use crate::time_zone::WEEK;

/// Microseconds of a minute.
pub(super) const MINUTE: u32 = 60_000_000;
/// So many units are one start.
pub(super) const START: u32 = 64;
/// So many units are one minute of exposure.
const EXPOSED: u32 = 50;
/// Each week forgets one part in so many: a week ago counts 0.8, five weeks ago a third, and all weeks together count five.
const FORGET: u32 = 5;

/// What is known of each minute of the week: how many recordings started in it, and for how long somebody could have started one,
/// both summed over the weeks, the older the less.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Cells {
    starts: Vec<u16>,
    exposure: Vec<u8>,
    /// The sums of both, since each tick asks for them.
    week: (u32, u32),
}

impl Default for Cells {
    fn default() -> Self {
        Self {
            starts: vec![0; WEEK],
            exposure: vec![0; WEEK],
            week: (0, 0),
        }
    }
}

impl Cells {
    /// Starts and minutes of exposure of a cell.
    pub(super) fn cell(&self, minute_of_week: usize) -> (f64, f64) {
        let at = minute_of_week % WEEK;
        known((self.starts[at].into(), self.exposure[at].into()))
    }

    /// Starts and minutes of exposure of all cells in a range inside the week. In whole numbers, since each tick adds up thousands of them.
    pub(super) fn sum(&self, range: Range<usize>) -> (f64, f64) {
        known(sums(&self.starts[range.clone()], &self.exposure[range]))
    }

    /// Starts and minutes of exposure of the whole week.
    pub(super) fn week(&self) -> (f64, f64) {
        known(self.week)
    }

    /// Adds a minute, or the part of it that was observed, to a cell: starts in units, times in microseconds.
    pub(super) fn add(&mut self, minute_of_week: usize, starts: u32, open: u32, observed: u32) {
        let at = minute_of_week % WEEK;
        self.week.0 -= u32::from(self.starts[at]);
        self.week.1 -= u32::from(self.exposure[at]);
        let observed = u64::from(observed.min(MINUTE));
        // Rounded up, so that nothing is remembered for ever.
        let lost = |value: u32| {
            let lost = (u64::from(value) * observed).div_ceil(u64::from(FORGET * MINUTE));
            value - u32::try_from(lost).unwrap_or(value).min(value)
        };
        let starts = lost(self.starts[at].into()).saturating_add(starts);
        self.starts[at] = u16::try_from(starts).unwrap_or(u16::MAX);
        let open = (u64::from(open.min(MINUTE)) * u64::from(EXPOSED) + u64::from(MINUTE) / 2)
            / u64::from(MINUTE);
        let exposure = lost(self.exposure[at].into()) + u32::try_from(open).unwrap_or(0);
        self.exposure[at] = u8::try_from(exposure).unwrap_or(u8::MAX);
        self.week.0 += u32::from(self.starts[at]);
        self.week.1 += u32::from(self.exposure[at]);
    }

    /// As text: nights without a start and minutes as much exposed as those before cost next to nothing.
    pub(super) fn to_text(&self) -> String {
        let mut bytes = Vec::new();
        pack(
            self.starts.iter().map(|starts| u32::from(*starts)),
            &mut bytes,
        );
        let mut before = 0;
        let steps = self.exposure.iter().map(|exposure| {
            let step = i32::from(*exposure) - before;
            before = i32::from(*exposure);
            // Small steps in both directions are small numbers.
            ((step << 1) ^ (step >> 31)).cast_unsigned()
        });
        pack(steps, &mut bytes);
        STANDARD_NO_PAD.encode(bytes)
    }

    /// Reads what [`to_text`](Self::to_text) wrote.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let bytes = STANDARD_NO_PAD.decode(text).ok()?;
        let mut rest = bytes.as_slice();
        let starts = unpack(&mut rest)?
            .into_iter()
            .map(|starts| u16::try_from(starts).ok())
            .collect::<Option<Vec<_>>>()?;
        let mut before = 0_i32;
        let exposure = unpack(&mut rest)?
            .into_iter()
            .map(|step| {
                let step = (step >> 1).cast_signed() ^ -(step & 1).cast_signed();
                before = before.checked_add(step)?;
                u8::try_from(before).ok()
            })
            .collect::<Option<Vec<_>>>()?;
        let week = sums(&starts, &exposure);
        rest.is_empty().then_some(Self {
            starts,
            exposure,
            week,
        })
    }
}

/// At most 10,080 times 65,535.
fn sums(starts: &[u16], exposure: &[u8]) -> (u32, u32) {
    (
        starts.iter().map(|n| u32::from(*n)).sum(),
        exposure.iter().map(|n| u32::from(*n)).sum(),
    )
}

/// Units as starts and minutes.
fn known((starts, exposure): (u32, u32)) -> (f64, f64) {
    (
        f64::from(starts) / f64::from(START),
        f64::from(exposure) / f64::from(EXPOSED),
    )
}

/// Each number in groups of seven bits, the lowest first; a run of zeros as a zero and its length.
fn pack(numbers: impl Iterator<Item = u32>, bytes: &mut Vec<u8>) {
    let mut zeros = 0;
    for number in numbers {
        if number == 0 {
            zeros += 1;
            continue;
        }
        pack_zeros(&mut zeros, bytes);
        pack_one(number, bytes);
    }
    pack_zeros(&mut zeros, bytes);
}

fn pack_zeros(zeros: &mut u32, bytes: &mut Vec<u8>) {
    if *zeros > 0 {
        bytes.push(0);
        pack_one(*zeros, bytes);
        *zeros = 0;
    }
}

fn pack_one(mut number: u32, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or(0));
}

fn unpack(bytes: &mut &[u8]) -> Option<Vec<u32>> {
    let mut numbers = Vec::with_capacity(WEEK);
    while numbers.len() < WEEK {
        match unpack_one(bytes)? {
            0 => {
                let zeros = usize::try_from(unpack_one(bytes)?).ok()?;
                let fits = zeros <= WEEK - numbers.len();
                numbers.resize(
                    numbers.len() + Some(zeros).filter(|zeros| fits && *zeros > 0)?,
                    0,
                );
            }
            number => numbers.push(number),
        }
    }
    Some(numbers)
}

fn unpack_one(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0;
    for shift in [0, 7, 14, 21] {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weeks(cells: &mut Cells, count: usize, starts: u32) {
        for _ in 0..count {
            cells.add(0, starts * START, MINUTE, MINUTE);
        }
    }

    #[test]
    fn weeks_are_forgotten_by_a_fifth_each() {
        let mut cells = Cells::default();
        weeks(&mut cells, 1, 10);
        assert_eq!(cells.cell(0), (10.0, 1.0));
        weeks(&mut cells, 1, 0);
        assert_eq!(cells.cell(0), (8.0, 1.8));
        weeks(&mut cells, 60, 1);
        let (starts, exposure) = cells.cell(0);
        assert!(
            (4.9..=5.0).contains(&starts) && (4.9..=5.0).contains(&exposure),
            "{starts} {exposure}"
        );
        weeks(&mut cells, 60, 0);
        assert_eq!(cells.cell(0), (0.0, 4.92), "nothing is remembered for ever");
        weeks(&mut cells, 3, 1_000_000);
        assert!(
            cells.cell(0).0 > 1023.0,
            "what is too much stays at the most"
        );
    }

    #[test]
    fn half_a_minute_forgets_half_as_much() {
        let mut cells = Cells::default();
        weeks(&mut cells, 1, 10);
        cells.add(0, 0, MINUTE / 4, MINUTE / 2);
        assert_eq!(cells.cell(0), (9.0, 1.16));
    }

    #[test]
    fn a_sum_is_that_of_its_cells() {
        let mut cells = Cells::default();
        for minute in 0..WEEK {
            let starts = u32::try_from(minute % 7).unwrap();
            cells.add(minute, starts * START, MINUTE, MINUTE);
        }
        let (starts, minutes) = cells.sum(70..140);
        assert_eq!((starts.round(), minutes.round()), (210.0, 70.0));
        assert_eq!(cells.week(), cells.sum(0..WEEK));
        for _ in 0..10 {
            (0..WEEK).for_each(|minute| cells.add(minute, u32::MAX, MINUTE, MINUTE));
        }
        let (starts, _) = cells.sum(0..WEEK);
        assert!(
            starts > 1000.0 * 10_080.0,
            "the largest week does not overflow"
        );
        (0..WEEK).for_each(|minute| cells.add(minute, 3, MINUTE / 2, MINUTE / 3));
        assert_eq!(cells.week(), cells.sum(0..WEEK));
    }

    #[test]
    fn the_text_gives_the_same_cells_and_is_small() {
        let mut office = Cells::default();
        let mut worst = Cells::default();
        for minute in 0..WEEK {
            let at_work = minute < 5 * 1440 && (480..1080).contains(&(minute % 1440));
            let number = u32::try_from(minute).unwrap();
            // 240 starts a day, over weeks; each cell another number.
            let starts = if at_work { number * 7 % 200 } else { 0 };
            office.add(minute, starts, MINUTE, MINUTE);
            worst.add(
                minute,
                60_000,
                if minute % 2 == 0 { MINUTE } else { 0 },
                MINUTE,
            );
        }
        let sizes = [&Cells::default(), &office, &worst].map(|cells| {
            let text = cells.to_text();
            assert_eq!(Cells::from_text(&text).as_ref(), Some(cells));
            text.len()
        });
        assert!(sizes[0] < 10 && sizes[1] < 6_000, "{sizes:?}");
        assert!(sizes[2] <= 67_200, "{sizes:?}");
    }

    #[test]
    fn what_is_no_such_text_is_refused() {
        let good = Cells::default().to_text();
        let broken = [
            "",
            "!",
            "AAAA",
            &good[1..],
            &format!("{good}AA"),
            "////////////",
        ];
        for text in broken {
            assert_eq!(Cells::from_text(text), None, "{text}");
        }
    }
}
